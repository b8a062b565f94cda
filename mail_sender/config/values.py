"""The values that keys take: a check for each, and the type that a model in `keys` names.

A check returns the value as the rooms want it, or raises what was found and what was expected. A message never
repeats a secret. `faults` turns what pydantic reports into faults with file and line.
"""

import re
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from mail_sender.config import placeholders, secrets, web_url
from mail_sender.doctor import nameserver
from mail_sender.names import address, hostname
from mail_sender.names.characters import visible
from mail_sender.names.secret import Secret
from mail_sender.observe import place as listen_place
from mail_sender.relay import ehlo_name, relay_url
from mail_sender.sender.schedule import BadSchedule, Schedule
from mail_sender.templating import wording

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_OWN_HEADERS = frozenset({"connection", "content-length", "content-type", "host", "transfer-encoding"})


def _expected(found: str, expected: str) -> PydanticCustomError:
    return PydanticCustomError("value", "{found}|{expected}", {"found": found, "expected": expected})


def _web_url(text: str) -> str:
    """Return the URL with its host in ASCII."""
    try:
        return web_url.with_ascii_host(text)
    except (web_url.BadUrl, hostname.BadHostName) as error:
        found = f"{shown(text)} ({error})"
    except ValueError:
        found = shown(text)
    raise _expected(found, "expected a URL such as https://idm.example.com")


def _public_url(text: str) -> str:
    if "@" in urlsplit(text).netloc:
        raise _expected("holds a login, which everybody who gets a mail would see", "expected a URL without a login")
    return text


def _mail_address(text: str) -> str:
    try:
        parsed = address.parse(text)
        if not parsed.isascii():
            raise address.BadAddress("it needs SMTPUTF8 (RFC 6531), which few relays support")
        return parsed
    except address.BadAddress as error:
        raise _expected(f"{shown(text)} ({error})", "expected a bare address such as idm@example.com") from None


def _one_line(text: str) -> str:
    # Joiners and hard spaces belong to some scripts; control characters, surrogates and line ends belong to none.
    if not text.strip() or any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text):
        raise _expected("is empty, or contains a line break or a control character", "expected one line of text")
    return text


def _bearer_token(secret: Secret) -> Secret:
    text = secret.get_secret_value().strip()
    if (
        "..." in text or "…" in text
    ):  # of a token's three parts only the middle one may be empty (RFC 7515, appendix F)
        raise _expected(
            "is still a placeholder", "write the token that `kanidm service-account api-token generate` prints"
        )
    if not text or not text.isascii() or not text.isprintable() or set(" \"'") & set(text):
        stray = f"has {len(text)} characters, among them a line break, a space, a quote or another invalid one"
        expected = "expected the token as `kanidm service-account api-token generate` printed it"
        raise _expected(stray if text else "is empty", expected)
    return Secret(text)


def _login(secret: Secret) -> Secret:
    return Secret(without_line_ends(secret.get_secret_value()))


def without_line_ends(text: str) -> str:
    """Return a user or a password without the line breaks around it: files and pasted texts end with one."""
    return re.sub(r"\A\s*[\r\n]|[\r\n]\s*\Z", "", text)


def filled_in(value: object, *, is_secret: bool) -> object:
    """Return the value. Raises if it is still a placeholder, which is not shown if it may be a secret."""
    if isinstance(value, str):
        if is_secret and placeholders.is_placeholder(value):
            raise _expected("is still a placeholder", "write the real value")
        if not is_secret and placeholders.holds_placeholder(value):
            raise _expected(f"{shown(value)} still holds a placeholder", "write the real value")
    return value


def _relay(secret: Secret) -> Secret:
    try:
        place = relay_url.parse(secret.get_secret_value())
    except relay_url.BadRelay as error:
        raise _expected(str(error), f"expected {relay_url.SPELLINGS}") from None
    login = place.username or "", place.password.get_secret_value() if place.password else ""
    if any(map(placeholders.is_placeholder, login)) or placeholders.holds_placeholder(place.host):
        raise _expected("still holds a placeholder", "write the real host, user and password")
    return secret


def _listen(text: str) -> str:
    try:
        return str(listen_place.parse(text))
    except listen_place.BadPlace as error:
        raise _expected(f"{shown(text)} ({error})", f"expected {listen_place.SPELLINGS}") from None


def _webhook_url(secret: Secret) -> Secret:
    text = without_line_ends(secret.get_secret_value())
    try:
        url = web_url.with_ascii_host(text)
    except ValueError:  # a message would have to repeat it
        raise _expected("is not a URL", "expected a URL such as https://hooks.example.com/services/...") from None
    parts = urlsplit(url)
    if placeholders.holds_placeholder(parts.hostname or "") or any(map(placeholders.is_placeholder, _words(url))):
        raise _expected("still holds a placeholder", "write the URL that the receiver gave you")
    return Secret(url)


def _database_url(secret: Secret) -> Secret:
    text = without_line_ends(secret.get_secret_value())
    if not re.match("postgres(ql)?://", text):  # a message would have to repeat it
        raise _expected("is not a URL of PostgreSQL", "expected postgresql://ROLE@HOST/DATABASE")
    if any(map(placeholders.is_placeholder, re.split(r"[/?&=:@]+", text))):
        raise _expected("still holds a placeholder", "write the database's own")
    return Secret(text)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[/?&=\s]+", text) if word]


def _http_headers(headers: dict[str, Secret]) -> dict[str, Secret]:
    found = {}
    for name, secret in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise _expected(f"{shown(name)} cannot be set", "expected names of HTTP headers, such as Authorization")
        value = without_line_ends(secret.get_secret_value()).strip()
        if not value or not value.isascii() or not value.isprintable():
            raise _expected(f"the value of {name} is empty, or not one line of ASCII", 'expected Name = "value"')
        if any(map(placeholders.is_placeholder, _words(value))):
            raise _expected(f"the value of {name} is still a placeholder", "write the real value")
        found[name] = Secret(value)
    return found


def _command(words: list[Secret]) -> list[Secret]:
    texts = [word.get_secret_value() for word in words]
    if texts and (not texts[0].strip() or any("\0" in text for text in texts)):
        raise _expected(
            "has no program at its front, or a NUL in it", 'expected ["/path/of/program", "argument", ...]'
        )
    return words


def _path(value: object) -> object:
    if isinstance(value, str):
        if not value or "\0" in value:
            raise _expected("holds a NUL" if value else "an empty text", "expected the path of a file or folder")
        return Path(value)
    return value


def _tenant(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{1,99}", text):
        raise _expected(shown(text), "expected the Directory (tenant) ID, or a domain of the tenant")
    return text


def _cron(text: str) -> str:
    try:
        schedule = Schedule(text)
    except BadSchedule as error:
        expected = "expected cron with seconds first, such as */5 * * * * * *"
        raise _expected(f"{shown(text)} ({error})", expected) from None
    if schedule.next_after(datetime.now(UTC)) is None:
        raise _expected(f"{shown(text)} never fires", "expected a schedule that fires again")
    return text


def _host_name(text: str) -> str:
    try:
        return ehlo_name.parse(text)
    except ehlo_name.BadEhloName as error:
        raise _expected(shown(text), str(error)) from None


def _language(tag: str) -> str:
    try:
        wording.locale(tag)
    except wording.BadLanguage as error:
        raise _expected(shown(tag), str(error)) from None
    return tag


def _rules(rules: dict[str, str]) -> dict[str, str]:
    return {_addressed(name): language for name, language in rules.items()}


def _addressed(name: str) -> str:
    """Return an address or a domain in the form that recipients' addresses have."""
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


def _selectors(names: list[str]) -> list[str]:
    for name in names:
        if not re.fullmatch(r"(?=.{1,200}\Z)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?", name):
            raise _expected(shown(name), "expected a DKIM selector: s= of a DKIM-Signature, such as s1 or selector1")
    return list(dict.fromkeys(names))


def _nameservers(places: list[str]) -> list[str]:
    for place in places:
        try:
            nameserver.parse(place)
        except nameserver.BadNameserver as error:
            raise _expected(shown(place), str(error)) from None
    return places


def shown(text: str) -> str:
    """Return a value for a message, quoted and cut; a login before an @, and what looks like a secret, are hidden."""
    login, _, place = text.rpartition("@")
    if ":" in login:
        text = f"***@{place}"
    text = secrets.without_likely(text)
    short = visible(text if len(text) <= 80 else f"{text[:77]}...")
    return "an empty text" if not text else f'"{short}"'


class IsRead:
    """Marks a key that names a file or folder which is read: a change of it is a change of the configuration."""


BearerToken = Annotated[Secret, AfterValidator(_bearer_token)]
Color = Annotated[str, AfterValidator(_color)]
Command = Annotated[list[Secret], AfterValidator(_command)]
Cron = Annotated[str, AfterValidator(_cron)]
DkimSelectors = Annotated[list[str], Field(max_length=20), AfterValidator(_selectors)]
DatabaseUrl = Annotated[Secret, AfterValidator(_database_url)]
HostName = Annotated[str, AfterValidator(_host_name)]
HttpHeaders = Annotated[dict[str, Secret], AfterValidator(_http_headers)]
InputPath = Annotated[Path | None, BeforeValidator(_path), IsRead]
Language = Annotated[str, AfterValidator(_language)]
LanguageRules = Annotated[dict[str, Language], AfterValidator(_rules)]
Listen = Annotated[str, AfterValidator(_listen)]
Login = Annotated[Secret, AfterValidator(_login)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Nameservers = Annotated[list[str], Field(max_length=5), AfterValidator(_nameservers)]
OneLine = Annotated[str, AfterValidator(_one_line)]
OutputFolder = Annotated[Path | None, BeforeValidator(_path)]
PublicUrl = Annotated[str, AfterValidator(_web_url), AfterValidator(_public_url)]
Relay = Annotated[Secret, AfterValidator(_relay)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
Tenant = Annotated[str, AfterValidator(_tenant)]
TimeZone = Annotated[str, AfterValidator(_zone)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
WebhookUrl = Annotated[Secret, AfterValidator(_webhook_url)]
