"""The certificate files that both configs name: each is read at start, so that a bad one is a fault of its key."""

import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from mail_sender.config import secrets
from mail_sender.config.toml_file import Key, TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.tls import contexts, pem

CLIENT_CERTIFICATE: tuple[Key, Key] = (("relay", "client_cert_path"), ("relay", "client_key_path"))
_EXPECTED = "expected a PEM file"


def faults(client: TomlFile, sender: TomlFile) -> Iterator[ConfigFault]:
    """Yield a fault for each file that cannot be used, and for a certificate whose key is another one's."""
    yield from _ca_fault(client, ("ca_path",))
    yield from of_relay(sender)
    yield from _ca_fault(sender, ("alert", "ca_path"))


def of_relay(file: TomlFile) -> Iterator[ConfigFault]:
    """Yield the faults of the files that belong to a relay."""
    for key in (("relay", "ca_path"), ("relay", "oauth", "ca_path")):
        yield from _ca_fault(file, key)
    certificate, key_path = (file.value(key) for key in CLIENT_CERTIFICATE)
    if isinstance(certificate, str) and isinstance(key_path, str):
        pair = Path(certificate), Path(key_path)
        unusable = [
            *_fault(file, CLIENT_CERTIFICATE[0], partial(pem.certificates, pair[0])),
            *_fault(file, CLIENT_CERTIFICATE[1], partial(pem.private_keys, pair[1])),
        ]
        together = partial(contexts.add_client_certificate, _scratch(), *pair)
        yield from unusable or _fault(file, CLIENT_CERTIFICATE[1], together)


def warnings() -> Iterator[str]:
    """Yield a sentence if the environment names a file or folder of the system's roots that is not there."""
    if missing := contexts.missing_roots():
        yield f"{missing}; the CAs that it should name are not trusted"


def _ca_fault(file: TomlFile, key: Key) -> Iterator[ConfigFault]:
    if isinstance(path := file.value(key), str):
        yield from _fault(file, key, partial(contexts.add_ca, _scratch(), Path(path)))


def _scratch() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _fault(file: TomlFile, key: Key, use: Callable[[], object]) -> Iterator[ConfigFault]:
    try:
        use()
    except pem.BadPem as error:
        yield file.fault(key, str(error), error.advice or _EXPECTED)
    except ValueError:  # a NUL in the path, which the key's own check reports
        return
    except FileNotFoundError as error:
        yield file.fault(key, f"{secrets.shown_path(error.filename)}: no such file", _EXPECTED)
    except IsADirectoryError as error:
        if error.filename != ".":  # an empty path, which the key's own check reports
            yield file.fault(key, f"{error.filename} is a folder", _EXPECTED)
    except OSError as error:
        yield file.unreadable(key, Path(error.filename), error)
