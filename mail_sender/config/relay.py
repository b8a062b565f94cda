"""The relay: `mail_relay`, the login, and `[relay]`, or the folder that takes the relay's place in a dry run.

With `[relay.oauth]` the login needs no password, and its user is the From address, if no other is named.

What spans several keys is checked on the raw tables, so that a fault elsewhere does not hide it.
"""

from collections.abc import Iterator
from pathlib import Path

from mail_sender.config import oauth
from mail_sender.config.certificates import CLIENT_CERTIFICATE
from mail_sender.config.keys import SenderFile
from mail_sender.config.toml_file import Key, TomlFile
from mail_sender.config.values import without_line_ends
from mail_sender.errors import ConfigFault
from mail_sender.names import address
from mail_sender.names.characters import code_point, is_invisible
from mail_sender.names.secret import Secret
from mail_sender.relay import folder, relay_url
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.relay_url import Security

_LOGIN: tuple[Key, Key] = (("mail_username",), ("mail_password",))
_WITHOUT_TLS = "mail_relay is reached without TLS"
_AS_THEY_ARE = {"ca_path", "client_cert_path", "client_key_path", "server_name", "connections", "pipelining"}
_OF_TLS = ("ca_path", "client_cert_path", "client_key_path", "server_name", "pin_sha256", "oauth")


def is_dry(sender: SenderFile) -> bool:
    """Say whether a folder takes the relay's place."""
    return sender.relay.kind == "folder"


def relay_config(sender: SenderFile) -> RelayConfig | FolderConfig:
    """Return the relay's slice; the two login keys go before the login in `mail_relay`."""
    table = sender.relay
    if sender.mail_relay is None or is_dry(sender):
        return FolderConfig(table.path or Path(), table.connections)
    place = relay_url.parse(sender.mail_relay.get_secret_value())
    username = place.username if sender.mail_username is None else sender.mail_username.get_secret_value()
    secret = place.password if sender.mail_password is None else sender.mail_password
    username = without_line_ends(username or "")
    password = without_line_ends(secret.get_secret_value() if secret else "")
    has_login = bool(username and password)
    by_token = oauth.config(sender, username or sender.mail_from_address)
    if by_token is not None:
        username, password, has_login = username or sender.mail_from_address, "", True
    return RelayConfig(
        host=place.host,
        port=place.port,
        security=place.security,
        username=username if has_login else None,
        password=Secret(password) if password and has_login else None,
        oauth=by_token,
        connect_timeout=float(sender.mail_connect_timeout_seconds),
        local_name=table.local_name or place.local_name or address.domain(sender.mail_from_address),
        pins=tuple(table.pin_sha256),
        **table.model_dump(include=_AS_THEY_ARE),
    )


def put_folder_in_place(file: TomlFile, folder: Path) -> None:
    """Make `folder` take the relay's place, whatever the file says."""
    table = file.values.get("relay", {})
    if isinstance(table, dict):
        file.values["relay"] = {**table, "kind": "folder", "path": str(folder)}


def faults(file: TomlFile) -> Iterator[ConfigFault]:
    """Yield a fault for each pair of keys that do not fit together."""
    yield from _kind_faults(file)
    # An empty password means that there is no login, whatever the user.
    user, password = (_stripped(file.value(key)) for key in _LOGIN)
    is_known = ("mail_password",) not in file.unread
    if oauth.is_set(file):
        yield from oauth.faults(file)
    elif is_known and password != "" and bool(user) != (password is not None):
        advice = 'set both, or neither; mail_password = "" means no login'
        yield _half(file, _LOGIN, advice, first_is_set=bool(user))
    certificate, key = (file.value(key) for key in CLIENT_CERTIFICATE)
    if (certificate is None) != (key is None):
        yield _half(file, CLIENT_CERTIFICATE, "set both, or neither", first_is_set=certificate is not None)
    if not oauth.is_set(file):
        yield from _url_login_fault(file)
    yield from _faults_without_tls(file)


def warnings(file: TomlFile) -> Iterator[str]:
    """Yield a sentence for each oddity of user or password, and for a key that does nothing beside another one.

    Odd are line breaks, spaces, quotes, and what cannot be seen.
    """
    if file.value(("relay", "pin_sha256")) and file.value(("relay", "ca_path")):
        yield "relay.ca_path does nothing beside pin_sha256: with a pin, no CA is asked; remove one of the two"
    given = {".".join(key): file.value(key) for key in _LOGIN}
    url = file.value(("mail_relay",))
    if isinstance(url, str) and all(value is None for value in given.values()):
        place = relay_url.parse(url)
        password = place.password.get_secret_value() if place.password else None
        given = {"the user in mail_relay": place.username, "the password in mail_relay": password}
    for name, value in given.items():
        if isinstance(value, str):
            yield from _oddities(name, value)


def _oddities(name: str, value: str) -> Iterator[str]:
    text = without_line_ends(value)
    name, cure = f"{name} ({len(text)} characters)", "if the relay refuses the login"
    if text != value:
        yield f"{name}: a line break around it is left out; remove it from the file"
    if text != text.strip():
        yield f"{name} has a space at its end or start, which is kept; remove it {cure}"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        yield f"{name} has quotes around it, which are kept; remove them {cure}"
    if odd := next((char for char in text.strip() if is_invisible(char)), ""):
        yield f"{name} holds {code_point(odd)}, which cannot be seen; remove it {cure}"


def _stripped(value: object) -> object:
    return without_line_ends(value) if isinstance(value, str) else value


def _kind_faults(file: TomlFile) -> Iterator[ConfigFault]:
    kind, path = file.value(("relay", "kind")), file.value(("relay", "path"))
    if kind == "folder" and path is None:
        yield file.fault(("relay", "path"), "is missing", "name the folder for the mails")
    if kind == "folder" and path and isinstance(path, str) and (problem := folder.problem(Path(path))):
        yield file.fault(("relay", "path"), problem, "name a folder that can be written")
    if kind in {None, "smtp"} and path is not None:
        yield file.fault(("relay", "path"), "is set, but kind is not folder", 'set kind = "folder", or remove path')
    has_preset = file.value(("relay", "preset")) is not None  # a fault of it says what is missing
    if kind in {None, "smtp"} and not file.faults and "mail_relay" not in file.values and not has_preset:
        yield file.fault(("mail_relay",), "is missing", "it is required, unless [relay] preset names a provider")


def _half(file: TomlFile, pair: tuple[Key, Key], advice: str, *, first_is_set: bool) -> ConfigFault:
    present, absent = pair if first_is_set else pair[::-1]
    return file.fault(present, f"is set, but {absent[-1]} is not", advice)


def _url_login_fault(file: TomlFile) -> Iterator[ConfigFault]:
    place = _place(file)
    if place is None or any(file.value(key) is not None for key in _LOGIN):
        return
    if bool(place.username) != bool(place.password):
        advice = "write both user and password, or set mail_username and mail_password"
        yield file.fault(("mail_relay",), "has only a user, or only a password", advice)


def _faults_without_tls(file: TomlFile) -> Iterator[ConfigFault]:
    """Yield a fault for each key that needs TLS, if the relay is reached without it."""
    place = _place(file)
    if place is None or place.security is not Security.PLAIN:
        return
    advice = "remove user and password, or write smtps:// or smtp:// into mail_relay"
    if _stripped(file.value(_LOGIN[1])):
        yield file.fault(_LOGIN[1], f"is set, but {_WITHOUT_TLS}: it would be sent in clear", advice)
    elif place.password:
        yield file.fault(("mail_relay",), "has a password, which would be sent in clear", advice)
    for name in _OF_TLS:
        if file.value(key := ("relay", name)):
            yield file.fault(key, f"is set, but {_WITHOUT_TLS}", "remove it, or write smtps:// or smtp://")


def _place(file: TomlFile) -> relay_url.Endpoint | None:
    """Return the relay that the file names, if it can be read as one."""
    relay = file.value(("mail_relay",))
    try:
        return relay_url.parse(relay) if isinstance(relay, str) else None
    except relay_url.BadRelay:
        return None
