"""The keys of the two configuration files, and the values that each takes.

A check returns the value as the stages want it, or raises what was found and what was expected; a secret is
never repeated. `config_faults` turns what pydantic reports into faults with file and line.
"""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import idna
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

from mail_sender import address
from mail_sender.relay import endpoint
from mail_sender.sender.schedule import BadSchedule, Schedule
from mail_sender.templating import wording


def _expected(found: str, expected: str) -> PydanticCustomError:
    return PydanticCustomError("value", "{found}|{expected}", {"found": found, "expected": expected})


def _web_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and _is_host(parts.hostname or "") and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or not text.isprintable() or " " in text:
        raise _expected(shown(text), "expected a URL such as https://idm.example.com")
    return text


def _is_host(name: str) -> bool:
    if not name.isascii():
        idna.encode(name.lower())  # what cannot be encoded is a ValueError
    return bool(name)


def _mail_address(text: str) -> str:
    try:
        parsed = address.parse(text)
        if not parsed.isascii():
            raise address.BadAddress("it needs SMTPUTF8 (RFC 6531), which relays seldom speak")
        return parsed
    except address.BadAddress as error:
        raise _expected(f"{shown(text)} ({error})", "expected a bare address such as idm@example.com") from None


def _one_line(text: str) -> str:
    # Joiners and hard spaces belong to some scripts; control characters, surrogates and line ends belong to none.
    if not text.strip() or any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text):
        raise _expected("empty, or holds a line break or control character", "expected one line of text")
    return text


def _bearer_token(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        what = (
            "empty"
            if not text
            else f"{len(text)} characters with a line break, space or other stray character inside"
        )
        raise _expected(what, "expected the token as `kanidm service-account api-token generate` printed it")
    return SecretStr(text)


def _relay(secret: SecretStr) -> SecretStr:
    try:
        endpoint.parse(secret.get_secret_value())
    except endpoint.BadRelay as error:
        raise _expected(str(error), f"expected {endpoint.SPELLINGS}") from None
    return secret


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise _expected("is no path", "expected a folder")
    return text


def _cron(text: str) -> str:
    try:
        schedule = Schedule(text)
    except BadSchedule as error:
        raise _expected(
            f"{shown(text)} ({error})", "expected cron with seconds first, such as */5 * * * * * *"
        ) from None
    if schedule.next_after(datetime.now(UTC)) is None:
        raise _expected(f"{shown(text)} never fires", "expected a schedule with a tick to come")
    return text


def _host_name(text: str) -> str:
    if not endpoint.EHLO_NAME.fullmatch(text):
        raise _expected(shown(text), "expected a host name such as idm.example.com (RFC 5321, section 4.1.1.1)")
    return text


def _language(tag: str) -> str:
    try:
        wording.locale(tag)
    except wording.BadLanguage as error:
        raise _expected(shown(tag), str(error)) from None
    return tag


def _rules(rules: dict[str, str]) -> dict[str, str]:
    return {_addressed(name): language for name, language in rules.items()}


def _addressed(name: str) -> str:
    """Return an address or a domain as recipients' addresses have it."""
    try:
        whole = address.parse(name if "@" in name else f"somebody@{name}").lower()
    except address.BadAddress:
        raise _expected(shown(name), "expected an address or a domain on the left, a language on the right") from None
    return whole if "@" in name else address.domain(whole)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise _expected(shown(name), "expected a time zone such as Europe/Berlin (IANA)") from None
    return name


def _color(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise _expected(shown(text), "expected a colour such as #1d4ed8")
    return text.lower()


def shown(text: str) -> str:
    """Return what stood in the file, quoted and cut; what may be a login in front of an @ is hidden."""
    login, _, place = text.rpartition("@")
    if ":" in login:
        text = f"***@{place}"
    short = text if len(text) <= 80 else f"{text[:77]}..."
    return "an empty text" if not text else f'"{short}"'


WebUrl = Annotated[str, AfterValidator(_web_url)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
OneLine = Annotated[str, AfterValidator(_one_line)]
Language = Annotated[str, AfterValidator(_language)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]


class ClientFile(BaseModel):
    """Kanidm's client config (docs/kanidm-wire.md, The client config)."""

    model_config = ConfigDict(strict=True, extra="allow")

    uri: WebUrl
    verify_ca: bool = True
    verify_hostnames: bool = True
    ca_path: str | None = None
    connect_timeout: Seconds | None = None


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _RelayTable(_Table):
    kind: Literal["smtp", "folder"] = "smtp"
    path: Annotated[str, AfterValidator(_path)] | None = None
    ca_path: str | None = None
    client_cert_path: str | None = None
    client_key_path: str | None = None
    local_name: Annotated[str, AfterValidator(_host_name)] | None = None


class _TemplatesTable(_Table):
    override_path: Annotated[str, Field(min_length=1)] | None = None
    html: bool = True
    default_language: Language = "en"
    second_language: Language | None = None
    language_rules: Annotated[dict[str, Language], AfterValidator(_rules)] = {}
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"


class _BrandTable(_Table):
    name: OneLine | None = None
    color: Annotated[str, AfterValidator(_color)] | None = None
    logo_path: Annotated[str, Field(min_length=1)] | None = None
    support: OneLine | None = None
    footer: OneLine | None = None


class _WorkerTable(_Table):
    stop_grace_seconds: Annotated[float, Field(ge=0, le=3600)] = 8.0


class _RetryTable(_Table):
    message_retries: Annotated[int, Field(ge=0, le=100)] = 5
    max_age_seconds: Annotated[int, Field(ge=60, le=30 * 86_400)] = 86_400


class _LedgerTable(_Table):
    path: Annotated[str, Field(min_length=1)] | None = None
    kind: Literal["sqlite", "memory"] = "sqlite"


class _ObserveTable(_Table):
    log_format: Literal["text", "json"] = "text"


class SenderFile(BaseModel):
    """Kanidm's mail-sender config (docs/kanidm-wire.md, The mail-sender config) and our tables beside its keys."""

    model_config = ConfigDict(strict=True, extra="allow")

    token: Annotated[SecretStr, AfterValidator(_bearer_token)]
    schedule: Annotated[str, AfterValidator(_cron)] = "*/5 * * * * * *"
    instance_display_name: OneLine
    instance_url: WebUrl
    mail_from_address: MailAddress
    mail_reply_to_address: MailAddress
    mail_relay: Annotated[SecretStr, AfterValidator(_relay)] | None = None  # `config` asks for it where mail is sent
    mail_username: str | None = None
    mail_password: SecretStr | None = None
    mail_connect_timeout_seconds: Seconds = 15
    relay: _RelayTable = _RelayTable()
    headers: dict[str, str] = {}
    templates: _TemplatesTable = _TemplatesTable()
    brand: _BrandTable = _BrandTable()
    worker: _WorkerTable = _WorkerTable()
    retry: _RetryTable = _RetryTable()
    ledger: _LedgerTable = _LedgerTable()
    observe: _ObserveTable = _ObserveTable()


SECRETS = frozenset({"token", "mail_relay", "mail_password", "mail_username"})
