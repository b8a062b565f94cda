"""`[relay.oauth]`: how a token for the login is got. Each flow needs its own keys, and takes no others."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mail_sender.config import proxy, secrets
from mail_sender.config.keys import OAuthTable, SenderFile
from mail_sender.config.toml_file import Key, TomlFile
from mail_sender.errors import ConfigError, ConfigFault
from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.names import hostname
from mail_sender.names.secret import Secret
from mail_sender.relay import program
from mail_sender.relay.oauth import assertion, service_account_key
from mail_sender.relay.oauth.assertion import BadKey
from mail_sender.relay.oauth.config import Flow, OAuthConfig, ServiceAccount
from mail_sender.relay.oauth.service_account_key import BadKeyFile

TABLE: Key = ("relay", "oauth")
_SERVICE_ACCOUNT = (*TABLE, "service_account_path")
_EVERYWHERE = {"flow", "ca_path", "tenant"}
_NEEDED: Mapping[Flow, tuple[str, ...]] = {
    Flow.CLIENT_CREDENTIALS: ("token_url", "client_id", "client_secret", "scope"),
    Flow.REFRESH_TOKEN: ("token_url", "client_id", "refresh_token"),
    Flow.SERVICE_ACCOUNT: ("service_account_path", "scope"),
    Flow.COMMAND: ("command",),
}
_TAKEN: Mapping[Flow, set[str]] = {
    Flow.CLIENT_CREDENTIALS: {"client_secret_path"},
    Flow.REFRESH_TOKEN: {"client_secret", "client_secret_path", "refresh_token_path", "scope"},
    Flow.SERVICE_ACCOUNT: {"token_url", "mailbox"},
    Flow.COMMAND: set(),
}


def is_set(file: TomlFile) -> bool:
    """Say whether the table is there, and not empty."""
    table = file.value(TABLE)
    return isinstance(table, dict) and bool(table)


def faults(file: TomlFile) -> Iterator[ConfigFault]:
    """Yield a fault for each key that is missing, that the flow does not use, or that stands beside a password."""
    if not is_set(file):
        return
    flow = file.value((*TABLE, "flow"))
    if flow is None:
        yield file.fault((*TABLE, "flow"), "is missing", f"expected one of {', '.join(Flow)}")
    elif isinstance(flow, str) and flow in set(Flow):
        yield from _of_flow(file, Flow(flow))
    if isinstance(url := file.value((*TABLE, "token_url")), str):
        yield from _of_url(file, url)
    if file.value(("mail_password",)):
        found = "is set beside [relay.oauth], which takes a password's place"
        yield file.fault(("mail_password",), found, "remove one of the two")


def warnings(sender: SenderFile) -> Iterator[str]:
    """Yield a sentence if the program is not there (yet)."""
    command = sender.relay.oauth.command
    if command and shutil.which(command[0].get_secret_value()) is None:
        yield f"[relay.oauth] command: {program.shown(command)} is no program that can be run here"


def config(sender: SenderFile, mailbox: str) -> OAuthConfig | None:
    """Return how a token is got, None without OAuth; `mailbox` is whose token it is, if nothing else is said.

    Raises `ConfigError` if a file that was good a moment ago is gone.
    """
    table = sender.relay.oauth
    if table.flow is None:
        return None
    flow, account, url = Flow(table.flow), None, table.token_url or ""
    if flow is Flow.SERVICE_ACCOUNT and table.service_account_path is not None:
        account, of_account = _read_again(table.service_account_path)
        url = url or of_account
    way = proxy.proxy_for(url) if url else None
    return OAuthConfig(
        flow=flow,
        token_url=url,
        client_id=table.client_id or "",
        client_secret=table.client_secret,
        refresh_token=table.refresh_token,
        scope=table.scope or "",
        account=account,
        mailbox=(table.mailbox or mailbox) if flow is Flow.SERVICE_ACCOUNT else "",
        command=tuple(table.command),
        ca_path=table.ca_path,
        proxy=Secret(way) if way else None,
        state=_state(sender) if flow is Flow.REFRESH_TOKEN else None,
    )


def _read_again(path: Path) -> tuple[ServiceAccount, str]:
    try:
        return service_account_key.read(path)
    except (OSError, BadKeyFile) as error:
        found = f"{path} cannot be read any more ({getattr(error, 'strerror', None) or error})"
        fault = ConfigFault(path, None, ".".join(_SERVICE_ACCOUNT), found, "put it back")
        raise ConfigError([fault], []) from None


def _state(sender: SenderFile) -> state_folder.StateFolder | None:
    return None if sender.ledger.kind == "memory" else state_folder.place(LedgerConfig(sender.ledger.path))


def _of_flow(file: TomlFile, flow: Flow) -> Iterator[ConfigFault]:
    needed = _NEEDED[flow]
    for name in needed:
        key = (*TABLE, name)
        if not file.value(key) and key not in file.unread:
            yield file.fault(key, "is missing", f'flow = "{flow}" needs it')
    used = _EVERYWHERE | {*needed} | _TAKEN[flow]
    for name in OAuthTable.model_fields:
        if name not in used and file.value((*TABLE, name)) is not None:
            yield file.fault((*TABLE, name), f'is set, but flow = "{flow}" does not use it', "remove it")
    if flow is Flow.SERVICE_ACCOUNT and isinstance(path := file.value(_SERVICE_ACCOUNT), str) and path:
        yield from _of_account(file, Path(path))


def _of_account(file: TomlFile, path: Path) -> Iterator[ConfigFault]:
    expected = "expected the JSON file of a service account's key, as Google's console writes it"
    if not assertion.is_possible():
        found = "the library that signs for a service account is not installed"
        yield file.fault((*TABLE, "flow"), found, f"install {assertion.EXTRA}, which brings it")
        return
    try:
        account, url = service_account_key.read(path)
        assertion.check(account.key)
    except BadKeyFile as error:
        yield file.fault(_SERVICE_ACCOUNT, f"{path} {error}", expected)
    except BadKey as error:
        yield file.fault(_SERVICE_ACCOUNT, f"{path}: {error}", expected)
    except ValueError:  # a NUL in the path, which the key's own check reports
        return
    except FileNotFoundError:
        yield file.fault(_SERVICE_ACCOUNT, f"{secrets.shown_path(path)}: no such file", expected)
    except OSError as error:
        yield file.unreadable(_SERVICE_ACCOUNT, path, error)
    else:
        if file.value((*TABLE, "token_url")) is None:
            yield from _of_url(file, url, _SERVICE_ACCOUNT)


def _of_url(file: TomlFile, url: str, key: Key = (*TABLE, "token_url")) -> Iterator[ConfigFault]:
    try:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and hostname.is_loopback(parts.hostname or ""))
    except ValueError:  # the key's own check reports it
        return
    if not is_safe:
        found = "is no https:// URL: secrets would travel unencrypted" if url else "names no token endpoint"
        expected = "expected a URL such as https://login.example.com/token; http:// only for loopback"
        yield file.fault(key, found, expected)
        return
    yield from proxy.faults(url)
