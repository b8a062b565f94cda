"""The keys of the two configuration files. `values` has the types, with a check for each.

A new key is a line here, a description in `descriptions`, and a field in the room's own `config.py`; `load` and its
neighbours connect the two. A key marked `IsRead` is watched for changes, and a key whose type is `Secret` is never
shown: both follow from the type. A secret with a key beside it that is named after it (`token`, `token_path`) may
stand in a file of its own (`secret_files`).
"""

import re
import types
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from mail_sender.config import tls_values, values
from mail_sender.errors import shortened
from mail_sender.names.secret import Secret
from mail_sender.relay.config import CONNECTIONS, MOST_CONNECTIONS


class _Keys(BaseModel):
    @field_validator("*", mode="before")
    @classmethod
    def _filled_in(cls, value: object, about: ValidationInfo) -> object:
        field = cls.model_fields[about.field_name or ""]
        return values.filled_in(value, is_secret=Secret in parts_of(field.annotation))


class ClientFile(_Keys):
    """Kanidm's client config (docs/kanidm-wire.md, The client config)."""

    model_config = ConfigDict(strict=True, defer_build=True, extra="allow")

    uri: values.WebUrl
    verify_ca: bool = True
    verify_hostnames: bool = True
    ca_path: values.InputPath = None
    connect_timeout: values.Seconds = 15


class _Table(_Keys):
    model_config = ConfigDict(strict=True, defer_build=True, extra="forbid")


class _WarmUpTable(_Table):
    start: Annotated[int, Field(ge=1, le=1_000_000)]
    factor: Annotated[float, Field(ge=1, le=10)]
    days: Annotated[int, Field(ge=1, le=90)]
    first_day: Annotated[date | None, Field(alias="from")] = None


class OAuthTable(_Table):
    """How a token for the login at the relay is got; the table is left out where a password is used, or nothing."""

    flow: Literal["client_credentials", "refresh_token", "service_account", "command"] | None = None
    token_url: values.WebUrl | None = None
    tenant: values.Tenant | None = None
    client_id: values.OneLine | None = None
    client_secret: values.Login | None = None
    client_secret_path: values.InputPath = None
    refresh_token: values.Login | None = None
    refresh_token_path: values.InputPath = None
    scope: values.OneLine | None = None
    service_account_path: values.InputPath = None
    mailbox: values.MailAddress | None = None
    command: values.Command = []
    ca_path: values.InputPath = None


class EachRelayTable(_Table):
    """The keys of `[relay]` that each of `[[relay.fallback]]` has as well."""

    ca_path: values.InputPath = None
    client_cert_path: values.InputPath = None
    client_key_path: values.InputPath = None
    server_name: tls_values.ServerName | None = None
    pin_sha256: tls_values.Pins = []
    local_name: values.HostName | None = None
    connections: Annotated[int, Field(ge=1, le=MOST_CONNECTIONS)] = CONNECTIONS
    pipelining: bool = True


class _AtTopTable(_Table):  # what stands at the top level of the file for the first relay
    mail_relay: values.Relay
    mail_username: values.Login | None = None
    mail_password: values.Login | None = None
    mail_password_path: values.InputPath = None


class FallbackTable(EachRelayTable, _AtTopTable):
    """One of `[[relay.fallback]]`: a whole relay."""

    after_seconds: Annotated[int, Field(ge=0, le=86_400)] = 30


class _KindTable(_Table):
    kind: Literal["smtp", "folder"] = "smtp"
    preset: str | None = None
    region: str | None = None
    path: values.OutputFolder = None


class RelayTable(EachRelayTable, _KindTable):
    """`[relay]`: what Kanidm's keys do not say of the relay, the limits on all mail, and what stands in for it."""

    per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = None
    per_recipient_per_hour: Annotated[int, Field(ge=1, le=10_000)] | None = None
    warm_up: _WarmUpTable | None = None
    oauth: OAuthTable = OAuthTable.model_construct()
    fallback: Annotated[list[FallbackTable], Field(max_length=5)] = []


class _RecipientsTable(_Table):
    disposable_domains_path: values.InputPath = None
    disposable: Literal["warn", "refuse"] = "warn"


class _TemplatesTable(_Table):
    override_path: values.InputPath = None
    html: bool = True
    default_language: values.Language = "en"
    second_language: values.Language | None = None
    language_rules: values.LanguageRules = {}
    time_zone: values.TimeZone = "UTC"


class _BrandTable(_Table):
    name: values.OneLine | None = None
    color: values.Color | None = None
    logo_path: values.InputPath = None
    support: values.OneLine | None = None
    footer: values.OneLine | None = None


class _WorkerTable(_Table):
    stop_grace_seconds: Annotated[float, Field(ge=0, le=3600)] = 8.0


class _RetryTable(_Table):
    message_retries: Annotated[int, Field(ge=0, le=100)] = 5
    max_age_seconds: Annotated[int, Field(ge=60, le=30 * 86_400)] = 86_400


class _LedgerTable(_Table):
    path: values.OutputFolder = None
    kind: Literal["sqlite", "memory", "postgresql"] = "sqlite"
    url: values.DatabaseUrl | None = None
    url_path: values.InputPath = None
    password: values.Login | None = None
    password_path: values.InputPath = None
    ca_path: values.InputPath = None


class _AlertTable(_Table):
    url: values.WebhookUrl | None = None
    url_path: values.InputPath = None
    command: values.Command = []
    format: Literal["json", "slack", "ntfy", "alertmanager"] = "json"
    headers: values.HttpHeaders = {}
    after_seconds: values.Seconds = 300
    repeat_seconds: Annotated[int, Field(ge=0, le=30 * 86_400)] = 86_400
    max_per_hour: Annotated[int, Field(ge=1, le=1000)] = 30
    oldest_waiting_seconds: Annotated[int, Field(ge=1, le=7 * 86_400)] = 900
    expires_within_days: Annotated[int, Field(ge=1, le=365)] = 14
    ca_path: values.InputPath = None


class _ObserveTable(_Table):
    log_format: Literal["text", "json"] = "text"
    listen: values.Listen | None = None


class _DoctorTable(_Table):
    dkim_selectors: values.DkimSelectors = []
    nameservers: values.Nameservers = []
    trusted_authserv_id: values.OneLine | None = None
    daily: bool = True


class SenderFile(_Keys):
    """Kanidm's mail-sender config (docs/kanidm-wire.md, The mail-sender config), and our tables beside its keys."""

    model_config = ConfigDict(strict=True, defer_build=True, extra="allow")

    token: values.BearerToken
    token_path: values.InputPath = None
    schedule: values.Cron = "*/5 * * * * * *"
    instance_display_name: values.OneLine
    instance_url: values.PublicUrl
    mail_from_address: values.MailAddress
    mail_reply_to_address: values.MailAddress
    mail_relay: values.Relay | None = None  # required unless a preset has it or mail goes into a folder (`relay`)
    mail_username: values.Login | None = None
    mail_password: values.Login | None = None
    mail_password_path: values.InputPath = None
    mail_connect_timeout_seconds: values.Seconds = 15
    relay: RelayTable = RelayTable.model_construct()
    recipients: _RecipientsTable = _RecipientsTable.model_construct()
    headers: dict[str, str] = {}
    templates: _TemplatesTable = _TemplatesTable.model_construct()
    brand: _BrandTable = _BrandTable.model_construct()
    worker: _WorkerTable = _WorkerTable.model_construct()
    retry: _RetryTable = _RetryTable.model_construct()
    ledger: _LedgerTable = _LedgerTable.model_construct()
    observe: _ObserveTable = _ObserveTable.model_construct()
    doctor: _DoctorTable = _DoctorTable.model_construct()
    alert: _AlertTable = _AlertTable.model_construct()


def is_secret(*key: str) -> bool:
    """Say whether a key of the mail-sender config, with its tables, is a secret, or a table that may hold one."""
    model: type[BaseModel] = SenderFile
    for name in key:
        if name.isdecimal():  # the place of one of several tables
            continue
        if (field := model.model_fields.get(name)) is None:
            return False
        if (inner := table_of(field.annotation)) is None:
            return Secret in parts_of(field.annotation)
        model = inner
    return any(Secret in parts_of(field.annotation) for field in model.model_fields.values())


def table_of(annotation: object) -> type[BaseModel] | None:
    """Return the model of a table, of one that may be left out, or of each of several; None for any other value."""
    parts = (part for part in parts_of(annotation) if isinstance(part, type))
    return next((part for part in parts if issubclass(part, BaseModel)), None)


def parts_of(annotation: object) -> Iterator[object]:
    """Yield the types of which one is made, through unions and `Annotated`; of dict[str, Secret] all three."""
    origin = get_origin(annotation)
    if origin not in {None, Annotated, Literal, Union, types.UnionType}:
        yield origin
    if origin is None:
        yield annotation
    elif origin is not Literal:
        for part in get_args(annotation)[: 1 if origin is Annotated else None]:
            yield from parts_of(part)


def input_paths(model: type[BaseModel], table: object) -> Iterator[Path]:
    """Yield every path that the keys marked `IsRead` name in a file, whatever is wrong with the rest of it."""
    for name, field in model.model_fields.items():
        value = table.get(name) if isinstance(table, dict) else None
        if (inner := table_of(field.annotation)) is not None:
            for one in value if isinstance(value, list) else [value]:
                yield from input_paths(inner, one)
        elif values.IsRead in field.metadata and isinstance(value, str) and value:
            yield Path(value)


def _places(model: type[BaseModel], table: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        yield name, f"[{table}]" if table else ""
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Table):
            yield from _places(field.annotation, f"{table}.{name}" if table else name)


def _all_places() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, place in (*_places(SenderFile), *_places(FallbackTable, "relay.fallback")):
        found.setdefault(name, []).append(place)
    return found


_PLACES = _all_places()
"""The tables in which a key of the mail-sender config may stand; the top level has no name."""


_OF_LOGINS = frozenset({"user", "username", "password", "passwd", "secret"})


def misplaced(table: str, name: str) -> tuple[str, str] | None:
    """Say what is wrong with a name in a table, if it is a key of ours that belongs elsewhere, or looks like one.

    Somebody added it at the end of the file, below the last table: it may be a password.
    """
    table = shortened(re.sub(r"\.\d+$", "", table))  # without the place of one of several tables
    key = name.lower().replace("-", "_")
    places = _PLACES.get(key, [])
    if not places and key in ClientFile.model_fields:
        found = f"is a key of the configuration, and does not belong in [{table}]"
        return found, "write it into Kanidm's client config, which -c names"
    top = f"write it above the table [{table}] and all other tables, at the top of the file"
    if table == "headers" and not places and ("_" in name or key in _OF_LOGINS):
        return "looks like a key of the configuration, not like a header", f"{top}; names of headers have hyphens"
    if not places or f"[{table}]" in places:
        return None
    found = f"is a key of the configuration, and does not belong in [{table}]"
    return found, top if "" in places else f"write it in {' or '.join(places)}, above the table [{table}]"
