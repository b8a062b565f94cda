"""How a relay treats one connection: what it says instead of the usual, how slowly, and where it breaks off."""

import math
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tests.faults.rig_wire import Cut, How


class Step(StrEnum):
    """Where a relay replies."""

    BANNER = "banner"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "dot"
    RSET = "RSET"
    QUIT = "QUIT"


@dataclass(frozen=True)
class Behaviour:
    """How a connection is treated.

    `replies` stand in for the usual ones, from the connection's mail number `from_mail` on, each of them at most `times`
    times; `refusals` answer RCPT for these recipients; `delays` are real seconds before a reply, `trickle` those before
    each octet of one; `offers_starttls` is what the EHLO in clear says.
    `plain` is said in clear where TLS would begin on an implicit port, and `hangs` stops there; `tls` is another
    context than the relay's own. After `mails` mails the connection is closed without a word.

    With `gathers`, the replies to dots wait until so many mails have waited for theirs at the same time.

    `ends` says after which replies the connection ends, and how. To a pipelined group (RFC 2920), the replies are
    `grouped` in one write, or written one by one; after its reply to the step in `forgets` the relay throws away what was
    said behind that. A `generous` one says 354 to DATA also where it has taken no recipient, and this to the dot.
    """

    replies: Mapping[Step, bytes] = field(default_factory=dict)
    from_mail: int = 1
    times: float = math.inf
    refusals: Mapping[str, bytes] = field(default_factory=dict)
    cut: Cut | None = None
    delays: Mapping[Step, float] = field(default_factory=dict)
    trickle: Mapping[Step, float] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    offers_starttls: bool = True
    plain: bytes = b""
    hangs: bool = False
    mails: int | None = None
    gathers: int = 0
    grouped: bool = False
    forgets: Step | None = None
    generous: bytes = b""
    ends: Mapping[Step, How] = field(default_factory=dict)


HEALTHY = Behaviour()
Behave = Callable[[int], Behaviour]


def first(behaviour: Behaviour, connections: int = 1) -> Behave:
    """Return what treats the first connections so, and all others well."""
    return lambda number: behaviour if number <= connections else HEALTHY


def deferring(connections: int = 4) -> Behave:
    """Return what defers one recipient on each of the first connections.

    Not each recipient there: a connection may live for as long as mails follow each other, and one that is deferred
    on it again and again is abandoned, as it should be.
    """
    return first(Behaviour(replies={Step.RCPT: b"451 4.7.1 try again later\r\n"}, times=1), connections)
