"""Rules about conversations with the relay, as they stand in [[relay]] tables.

[[relay]]
at = "rcpt"                     # the stage; see STAGES. Needed if the rule could act at several stages
recipient = "*@example.com"     # at rcpt and later: only for these recipients; * and ? as in a shell
reply = "450 4.2.0 Greylisted"  # send this instead; after a 421 the relay disconnects
cut = true                      # disconnect; at the dot before the mail is taken
lose_answer = true              # at the dot: take the mail, then disconnect without an answer
stall = 20                      # silence for so many seconds before going on; true or inf: for ever
tarpit = 0.5                    # a reply goes out slowly, one character in so many seconds
greylist_seconds = 30           # 450 at the first try of (sender, recipient), until so much later
one_connection = true           # 421 while another connection is open
no_starttls = true              # STARTTLS is not offered
expired_certificate = true      # TLS with a certificate that ended yesterday
client_certificate = "required" # ask for a client certificate; "optional": take none as well

Replies can only be errors, because no sender can notice a relay that answers 250 and loses the mail.
"""

from __future__ import annotations

import fnmatch
import math
import re
from dataclasses import dataclass, field
from functools import reduce

from server_stub.errors import StubError
from server_stub.misbehaviour.rule import TURN_KEYS, Rule, Turns
from server_stub.misbehaviour.toml_table import Table

STAGES = ("connect", "tls", "ehlo", "auth", "mail", "rcpt", "data", "body", "dot")
REPLYING = tuple(stage for stage in STAGES if stage != "body")
WITH_RECIPIENTS = STAGES[STAGES.index("rcpt") :]
DEEDS: dict[str, tuple[str, ...]] = {  # what a rule can do, and the stages at which it can
    "reply": REPLYING,
    "cut": STAGES,
    "lose_answer": ("dot",),
    "stall": STAGES,
    "tarpit": tuple(stage for stage in REPLYING if stage != "tls"),
    "greylist_seconds": ("rcpt",),
    "one_connection": ("connect",),
    "no_starttls": ("ehlo",),
    "expired_certificate": ("tls",),
    "client_certificate": ("tls",),
}
ENDINGS = {"reply", "cut", "lose_answer", "greylist_seconds", "one_connection"}
KEYS = ("at", "recipient", *TURN_KEYS, *DEEDS)
REPLY = re.compile(r"[45]\d\d( .*)?")
GREYLISTED = "450 4.2.0 Greylisted, please try again later"
TOO_MANY = "421 4.7.0 Too many connections"


@dataclass(frozen=True)
class RelayEvent:
    """A stage that a conversation reaches. `now` is in seconds, monotonic; `others` counts further connections."""

    stage: str
    now: float
    sender: str = ""
    recipients: tuple[str, ...] = ()
    others: int = 0


@dataclass(frozen=True)
class RelayAct:
    """What to do at a stage; `stall` and `tarpit` in seconds. The default does nothing unusual."""

    reply: str | None = None
    cut: bool = False
    lose_answer: bool = False
    stall: float = 0.0
    tarpit: float = 0.0
    no_starttls: bool = False
    expired_certificate: bool = False
    client_certificate: str | None = None

    @property
    def ends(self) -> bool:
        """True if nothing else can happen at this stage."""
        return bool(self.reply or self.cut or self.lose_answer or self.stall == math.inf)

    def then(self, later: RelayAct) -> RelayAct:
        """Return both acts as one."""
        return RelayAct(
            reply=later.reply,
            cut=later.cut,
            lose_answer=later.lose_answer,
            stall=self.stall + later.stall,
            tarpit=max(self.tarpit, later.tarpit),
            no_starttls=self.no_starttls or later.no_starttls,
            expired_certificate=self.expired_certificate or later.expired_certificate,
            client_certificate=later.client_certificate or self.client_certificate,
        )


def joined(acts: list[RelayAct]) -> RelayAct:
    """Return all acts as one."""
    return reduce(RelayAct.then, acts, RelayAct())


@dataclass
class Greylist:
    """Who has tried, and when first: what a greylisting relay remembers."""

    seconds: float
    tried: dict[tuple[str, str], float] = field(default_factory=dict)

    def refuses(self, event: RelayEvent) -> bool:
        """Tell whether it is too early for this sender and recipient."""
        (recipient,) = event.recipients
        first = self.tried.setdefault((event.sender.lower(), recipient.lower()), event.now)
        return event.now - first < self.seconds


@dataclass(frozen=True)
class Scope:
    """The events that a rule looks at."""

    stages: tuple[str, ...]
    recipient: str | None
    one_connection: bool
    greylist: Greylist | None

    def __call__(self, event: RelayEvent) -> bool:
        """Return whether the rule looks at this event."""
        return (
            event.stage in self.stages
            and (self.recipient is None or any(map(self._is_meant, event.recipients)))
            and (not self.one_connection or event.others > 0)
            and (self.greylist is None or self.greylist.refuses(event))
        )

    def _is_meant(self, recipient: str) -> bool:
        return fnmatch.fnmatchcase(recipient.lower(), str(self.recipient).lower())


def read(name: str, content: object) -> Rule[RelayEvent, RelayAct]:
    """Read one [[relay]] table. Raises StubError."""
    table = Table.read(name, content, KEYS)
    deeds = [deed for deed in DEEDS if table.values.get(deed, False) is not False]
    if not deeds:
        raise StubError(f"{name} does nothing: give it one of {', '.join(DEEDS)}.")
    if len(ENDINGS.intersection(deeds)) > 1:
        raise StubError(f"{name} can do only one of {' and '.join(deed for deed in deeds if deed in ENDINGS)}.")
    stages, seconds = _stages(table, deeds), table.seconds("greylist_seconds")
    greylist = None if seconds is None else Greylist(seconds)
    scope = Scope(stages, _recipient(table, stages), table.flag("one_connection"), greylist)
    subject = f"Relay, {table.values.get('at', stages[0])}" + (f", {scope.recipient}" if scope.recipient else "")
    return Rule(subject, ", ".join(_words(table, deed) for deed in deeds), scope, Turns.read(table), _act(table))


def _act(table: Table) -> RelayAct:
    reply = table.text("reply")
    if reply is not None and not REPLY.fullmatch(reply):
        raise table.wrong("reply", "it must begin with a code from 400 to 599")
    if table.flag("one_connection"):
        reply = TOO_MANY
    if table.seconds("greylist_seconds"):
        reply = GREYLISTED
    return RelayAct(
        reply=reply,
        cut=table.flag("cut"),
        lose_answer=table.flag("lose_answer"),
        stall=math.inf if _for_ever(table.values.get("stall")) else table.seconds("stall") or 0.0,
        tarpit=table.seconds("tarpit") or 0.0,
        no_starttls=table.flag("no_starttls"),
        expired_certificate=table.flag("expired_certificate"),
        client_certificate=table.choice("client_certificate", ("optional", "required")),
    )


def _for_ever(stall: object) -> bool:
    return stall is True or stall == math.inf


def _stages(table: Table, deeds: list[str]) -> tuple[str, ...]:
    possible = tuple(stage for stage in STAGES if all(stage in DEEDS[deed] for deed in deeds))
    at = table.choice("at", (*STAGES, "any"))
    if not possible:
        raise StubError(f"{table.name} cannot do {' and '.join(deeds)} at the same stage.")
    if at is None and len(possible) > 1:
        raise StubError(f"{table.name} must say `at` which stage: {', '.join(possible)}, or any.")
    if at is None or at == "any":
        return possible
    if at not in possible:
        raise table.wrong("at", f"{' and '.join(deeds)} can be at {', '.join(possible)}")
    return (at,)


def _recipient(table: Table, stages: tuple[str, ...]) -> str | None:
    recipient = table.text("recipient")
    if recipient is not None and not set(stages) <= set(WITH_RECIPIENTS):
        raise table.wrong("recipient", f"recipients are known at {', '.join(WITH_RECIPIENTS)}; say `at` which")
    return recipient


def _words(table: Table, deed: str) -> str:
    value = table.values[deed]
    match deed:
        case "reply":
            return f"replies {value}"
        case "stall":
            return "stays silent for ever" if _for_ever(value) else f"stays silent for {value} s"
        case "tarpit":
            return f"replies with one character in {value} s"
        case "greylist_seconds":
            return f"greylists for {value} s"
        case "client_certificate":
            return f"asks for a client certificate ({value})"
    return {
        "cut": "disconnects",
        "lose_answer": "accepts the mail and loses the answer",
        "one_connection": "accepts one connection at a time",
        "no_starttls": "does not offer STARTTLS",
        "expired_certificate": "shows an expired certificate",
    }[deed]
