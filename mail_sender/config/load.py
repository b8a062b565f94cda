"""The configuration: Kanidm's two TOML files and our own tables, as one small frozen slice for each stage.

Two files are read: the client config (Kanidm's, the top level is the instance that counts) and the mail-sender
config (Kanidm's keys at the top level, ours in tables beside them). `config_keys` checks each value; what spans
several keys is checked here on the raw tables, so that one fault does not hide another. All faults are raised
at once, as `ConfigError`; things that work but deserve a look are collected as warnings.
"""

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pydantic import SecretStr

from mail_sender import address, tls
from mail_sender.config import appearance, headers
from mail_sender.config.config import Config
from mail_sender.config.faults import checked
from mail_sender.config.keys import ClientFile, SenderFile
from mail_sender.config.toml_file import TomlFile, unreadable_file
from mail_sender.errors import ConfigError, ConfigFault
from mail_sender.ledger.config import LedgerConfig
from mail_sender.relay import endpoint
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.sender.config import RetryConfig, SenderConfig
from mail_sender.sender.schedule import Schedule
from mail_sender.source.config import SourceConfig


def load(client_path: Path, sender_path: Path, dry_run: Path | None = None) -> Config:
    """Return the configuration that the two files make; `dry_run` is a folder that takes the relay's place.

    Raises `ConfigError` with every fault of both.
    """
    client_file, sender_file = TomlFile(client_path), TomlFile(sender_path)
    if "token" in client_file.values and "uri" in sender_file.values:
        found, expected = "looks like the mail-sender config", "swap -c and -m: -c names Kanidm's client config"
        raise ConfigError([ConfigFault(client_path, None, "", found, expected)], [])
    if dry_run is not None:
        _divert(sender_file, dry_run)
    faults = [*client_file.faults, *sender_file.faults]
    warnings: list[str] = []
    client = checked(client_file, ClientFile, faults, warnings)
    sender = checked(sender_file, SenderFile, faults, warnings)
    faults += [
        *_proxy_faults(client),
        *_relay_kind(sender_file),
        *_half_pairs(sender_file),
        *headers.faults(sender_file),
        *_readable_pems(client_file, sender_file),
    ]
    looks = appearance.appearance(sender_file, sender, faults, warnings) if sender else None
    files = _files([client_path, sender_path], client, sender) if client and sender else ()
    if faults or client is None or sender is None or looks is None:
        raise ConfigError(faults, warnings, files)
    mail = appearance.mail(sender, looks)
    if (folder := sender.templates.override_path) and looks.templates.theirs:
        faults += appearance.tried(Path(folder), mail, appearance.trials(looks))
    if faults:
        raise ConfigError(faults, warnings, files)
    relay = _relay_config(sender)
    warnings += [*_weaknesses(client, sender, relay), *_exposure(sender_file)]
    return Config(
        source=_source_config(client, sender),
        relay=relay,
        mail=mail,
        sender=SenderConfig(
            schedule=Schedule(sender.schedule),
            retry=RetryConfig(sender.retry.message_retries, timedelta(seconds=sender.retry.max_age_seconds)),
            stop_grace_seconds=sender.worker.stop_grace_seconds,
        ),
        ledger=_ledger_config(sender),
        files=files,
        log_format=sender.observe.log_format,
        warnings=tuple(warnings),
        secrets=frozenset(_secrets(sender)),
    )


def load_anew(before: Config, client_path: Path, sender_path: Path, dry_run: Path | None = None) -> Config:
    """Return the configuration that the two files make now, for a sender that runs under the one `before`.

    Raises `ConfigError`, also where the relay's kind has changed: a ledger is about mails that were sent, or about
    mails that were only written, never about both.
    """
    changed = load(client_path, sender_path, dry_run)
    if type(changed.relay) is not type(before.relay):
        found, cure = "cannot change while mail-sender runs", "restart mail-sender, and it counts"
        raise ConfigError([ConfigFault(sender_path, None, "relay.kind", found, cure)], [])
    return changed


def _files(read: list[Path], client: ClientFile, sender: SenderFile) -> tuple[Path, ...]:
    """Return every file that has a say: a change of one of them is a change of the configuration."""
    table = sender.relay
    named = (client.ca_path, table.ca_path, table.client_cert_path, table.client_key_path)
    return (*read, *(Path(name) for name in named if name), *appearance.files(sender))


def _source_config(client: ClientFile, sender: SenderFile) -> SourceConfig:
    parts = urlsplit(client.uri)
    return SourceConfig(
        uri=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        token=sender.token,
        verify_ca=client.verify_ca,
        verify_hostnames=client.verify_hostnames,
        ca_path=Path(client.ca_path) if client.ca_path else None,
        connect_timeout=float(client.connect_timeout or 15),
        proxy=SecretStr(proxy) if (proxy := _proxy(client.uri)) else None,
    )


def _proxy(uri: str) -> str | None:
    """Return the proxy that HTTPS_PROXY (for http:// HTTP_PROXY) and NO_PROXY name for the server."""
    parts = urlsplit(uri)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def _proxy_faults(client: ClientFile | None) -> Iterator[ConfigFault]:
    proxy = _proxy(client.uri) if client else None
    if proxy and not re.fullmatch(r"https?://(?:[^\s/]*@)?[\w.-]+(?::\d{1,5})?/?", proxy):
        expected = "expected http://host:port (SOCKS is not supported), or unset it"
        yield ConfigFault(Path("environment"), None, "HTTPS_PROXY", "is not an HTTP proxy's URL", expected)


def _divert(file: TomlFile, folder: Path) -> None:
    """Put a folder in the relay's place, whatever the file says of that."""
    table = file.values.get("relay", {})
    if isinstance(table, dict):
        file.values["relay"] = {**table, "kind": "folder", "path": str(folder)}


def _ledger_config(sender: SenderFile) -> LedgerConfig:
    if sender.relay.kind == "folder":
        return LedgerConfig(None, "memory")  # nothing is sent, so nothing is to be remembered
    return LedgerConfig(Path(sender.ledger.path) if sender.ledger.path else None, sender.ledger.kind)


def _relay_config(sender: SenderFile) -> RelayConfig | FolderConfig:
    if sender.mail_relay is None or sender.relay.kind == "folder":
        return FolderConfig(Path(sender.relay.path or ""))
    place = endpoint.parse(sender.mail_relay.get_secret_value())
    username = sender.mail_username if sender.mail_username is not None else place.username
    password = (
        sender.mail_password if sender.mail_password is not None else place.password and SecretStr(place.password)
    )
    login = bool(username and password and password.get_secret_value())
    table = sender.relay
    return RelayConfig(
        host=place.host,
        port=place.port,
        security=place.security,
        username=username if login else None,
        password=password or None if login else None,
        connect_timeout=float(sender.mail_connect_timeout_seconds),
        ca_path=Path(table.ca_path) if table.ca_path else None,
        client_cert_path=Path(table.client_cert_path) if table.client_cert_path else None,
        client_key_path=Path(table.client_key_path) if table.client_key_path else None,
        local_name=table.local_name or place.local_name or address.domain(sender.mail_from_address),
    )


def _secrets(sender: SenderFile) -> Iterator[str]:
    """Yield what no log may show; of a relay that is not used just now as well."""
    yield from (secret.get_secret_value() for secret in (sender.token, sender.mail_password) if secret)
    if sender.mail_relay and (password := endpoint.parse(sender.mail_relay.get_secret_value()).password):
        yield password


def _relay_kind(file: TomlFile) -> Iterator[ConfigFault]:
    """Yield a fault where the relay's kind lacks its place, or has another kind's."""
    kind = _lookup(file.values, ("relay", "kind"))
    path = _lookup(file.values, ("relay", "path"))
    if kind == "folder" and path is None:
        yield file.fault(("relay", "path"), "is missing", "name the folder that mails are to be written into")
    if kind in {None, "smtp"} and path is not None:
        yield file.fault(("relay", "path"), "is set, but nothing is written there", 'set kind = "folder" as well')
    if kind in {None, "smtp"} and not file.faults and "mail_relay" not in file.values:
        yield file.fault(("mail_relay",), "is missing", "it is required")


def _half_pairs(file: TomlFile) -> Iterator[ConfigFault]:
    """Yield a fault for a user without a password, for a certificate without its key, or the reverse of either."""
    user, password = (_lookup(file.values, key) for key in _LOGIN)
    # An empty password means that there is no login, whatever the user.
    if password != "" and bool(user) != (password is not None):
        yield _half(file, _LOGIN, 'set both, or neither; mail_password = "" means no login', first=bool(user))
    certificate, key = (_lookup(file.values, key) for key in _CERTIFICATE)
    if (certificate is None) != (key is None):
        yield _half(file, _CERTIFICATE, "set both, or neither", first=certificate is not None)
    yield from _half_url_login(file)


Pair = tuple[tuple[str, ...], tuple[str, ...]]
_LOGIN: Pair = (("mail_username",), ("mail_password",))
_CERTIFICATE: Pair = (("relay", "client_cert_path"), ("relay", "client_key_path"))


def _half(file: TomlFile, pair: Pair, cure: str, *, first: bool) -> ConfigFault:
    present, absent = pair if first else pair[::-1]
    return file.fault(present, f"is set, but {absent[-1]} is not", cure)


def _half_url_login(file: TomlFile) -> Iterator[ConfigFault]:
    relay = file.values.get("mail_relay")
    if not isinstance(relay, str) or any(_lookup(file.values, key) is not None for key in _LOGIN):
        return
    try:
        place = endpoint.parse(relay)
    except endpoint.BadRelay:
        return
    if bool(place.username) != bool(place.password):
        yield file.fault(
            ("mail_relay",),
            "holds half a login",
            "put both user and password into it, or set mail_username and mail_password",
        )


def _lookup(values: Mapping[str, Any], keys: tuple[str, ...]) -> object:
    found: object = values
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _readable_pems(client: TomlFile, sender: TomlFile) -> Iterator[ConfigFault]:
    scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file, key in ((client, ("ca_path",)), (sender, ("relay", "ca_path"))):
        if isinstance(path := _lookup(file.values, key), str):
            yield from _pem_fault(file, key, partial(tls.add_ca, scratch, Path(path)))
    paths = [_lookup(sender.values, key) for key in _CERTIFICATE]
    if isinstance(paths[0], str) and isinstance(paths[1], str):
        pair = Path(paths[0]), Path(paths[1])
        faults = [
            *_pem_fault(sender, _CERTIFICATE[0], partial(tls.require_pem, pair[0], "CERTIFICATE")),
            *_pem_fault(sender, _CERTIFICATE[1], partial(tls.require_pem, pair[1], "PRIVATE KEY")),
        ]
        yield from faults or _pem_fault(sender, _CERTIFICATE[1], partial(tls.add_client_certificate, scratch, *pair))


def _pem_fault(file: TomlFile, key: tuple[str, ...], use: Callable[[], None]) -> Iterator[ConfigFault]:
    try:
        use()
    except tls.BadPem as error:
        yield file.fault(key, str(error), "expected a PEM file")
    except ValueError:  # a NUL in the path
        yield file.fault(key, "is no path", "expected a PEM file")
    except FileNotFoundError as error:
        yield file.fault(key, f"{error.filename}: no such file", "expected a PEM file")
    except IsADirectoryError as error:
        yield file.fault(key, f"{error.filename} is a folder", "expected a PEM file")
    except OSError as error:
        fault = unreadable_file(Path(error.filename), error)
        yield file.fault(key, f"{fault.path} {fault.found}", fault.expected, unreadable=True)


def _weaknesses(client: ClientFile, sender: SenderFile, relay: RelayConfig | FolderConfig) -> Iterator[str]:
    if not client.verify_ca:
        yield "verify_ca = false: anybody on the way to the identity server can read its messages and the token"
    elif not client.verify_hostnames:
        yield "verify_hostnames = false: any certificate of a trusted CA passes for the identity server's"
    if client.uri.startswith("http://"):
        yield "uri is http://: messages and the token travel in clear; use https:// beyond loopback"
    if sender.instance_url.startswith("http://"):
        yield "instance_url is http://: the links in the mails lead to a page without TLS"
    if isinstance(relay, RelayConfig) and relay.username is None:
        yield "no login at the relay: no user is set, or an empty password"


def _exposure(file: TomlFile) -> Iterator[str]:
    if file.mode & 0o007:
        yield f"{file.path} holds secrets and is open to everybody (mode {file.mode:04o}); chmod 0640 or less"
