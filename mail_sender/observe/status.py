"""The status: all that an operator is to see of a sender and its ledger, as one value that is ready for JSON.

`mail-sender status -o json` prints it; the page, the metrics, health, alerts and systemd's line are made of it. The
field `version` changes when a field changes its meaning or goes; new fields do not change it. There is no secret and
no mail address in it. Times are aware, in UTC.

The parts are plain dataclasses, since a sender makes them; only who reads them needs pydantic (`control.inquiry`).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

SEEN_LATELY = timedelta(seconds=8)
"""A sender that was seen earlier than that is late: it says every 3 s that it lives, and counts as gone after 15."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateLoop:
    """A loop of the sender that hangs, and for how long (seconds)."""

    loop: str
    late_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderStatus:
    """The running process. It is alive while its loops turn, ready while polls succeed and mail goes to a relay."""

    version: str
    pid: int
    host: str
    started_at: datetime
    alive: bool
    ready: bool
    late_loops: list[LateLoop]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """The identity server: its polls, and how many messages it listed last; nothing of a poll before the first.

    Where another sender polls for all that share the ledger, the times are of this one's own looks at the server.
    """

    uri: str
    last_poll_at: datetime | None
    last_good_poll_at: datetime | None
    next_poll_at: datetime | None
    ready: int
    malformed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayStatus:
    """The relay, its circuit breaker, and how fast it takes mail.

    `security` says in words how TLS starts; it is `folder` in a dry run. `breaker_since` is None while the
    breaker never opened. `between_seconds` lie between the starts of two mails. `carries` says that mail goes through
    this relay now. `token_expires_at` is the end of the OAuth token in use, which is renewed before; None if none is.
    """

    place: str
    security: str
    login: bool
    breaker: Literal["closed", "open", "half-open"]
    breaker_since: datetime | None
    probe_in_seconds: float | None
    most_in_flight: int
    between_seconds: float
    in_flight: int
    carries: bool = True
    token_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStatus:
    """The ledger: `kind` is `sqlite`, `memory` or `postgresql`; sizes are in bytes, None where they are not known."""

    kind: str
    place: str | None
    size_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionStatus:
    """What is wrong since when, and what to do about it; `blocks` says whether it stands in the way of mail.

    `name` says whose it is: `server`, `relay`, `fallback` (a relay that stands in for it), `ledger`, `clock`,
    `configuration`, `replicas` (the senders that share the ledger are not alike), `domain` (the DNS of the From
    domain), `loop` (one hangs, `kind` names it), `template`
    (deliveries are held) or `alerts` (they cannot be delivered). `next_try_in_seconds` is None where nothing waits
    for a try.
    """

    name: str
    kind: str
    since: datetime
    detail: str
    advice: str
    blocks: bool
    next_try_in_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """The deliveries by state, each state named; by kind of message and state; and what of them matters most."""

    states: dict[str, int]
    kinds: dict[str, dict[str, int]]
    unmarked: int
    oldest_waiting_at: datetime | None
    last_accepted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsStatus:
    """Attempts by verdict within the last hour and the last day, and in each of the last 24 hours, the latest last.

    A verdict without any attempt is left out. The verdicts are `accepted`, `refused`, `deferred`, `throttled`,
    `relay_down`, `uncertain` and `interrupted`.
    """

    last_hour: dict[str, int]
    last_day: dict[str, int]
    by_hour: list[dict[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingDomain:
    """A recipient domain, and its deliveries of the last day that were given up, or are tried again."""

    domain: str
    failed: int
    deferred: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """When `token`, `server_certificate`, `relay_certificate` or `client_certificate` ends.

    The certificates of the first fallback have names that begin with `fallback_1_`.
    """

    name: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """Deliveries that a limit of the configuration holds back."""

    reason: str
    deliveries: int
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """A living sender that shares the ledger: host, process and version, since when it was seen, and when last.

    `polls` says that it polls the identity server for all, `carries` that it can mail now, as far as that is up to
    itself, `answers` that it is the one whose status this is. The times are of the database's clock.
    """

    host: str
    pid: int
    version: str
    since: datetime
    seen_at: datetime
    polls: bool
    carries: bool
    answers: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The whole status.

    `sender`, `server` and `relay` are None where the ledger alone has answered: no sender runs, or none that answers.
    In the latter case `unanswered` says who has the ledger, and does not answer. `fallbacks` are the relays that
    stand in for `relay`, in their order. `replicas` are the senders that share the ledger and live, the oldest first;
    none where it is not shared.
    `queue` and `attempts` are None where the ledger cannot be read. `healthy` says that nothing stands in the way of
    mail: a sender is alive and ready, and no condition blocks. Where the ledger alone has answered, senders that
    share it live elsewhere, one of them polls, and one can mail.
    """

    version: Literal[1] = 1
    at: datetime
    answered_by: Literal["sender", "ledger"]
    unanswered: str | None = None
    healthy: bool
    sender: SenderStatus | None
    server: ServerStatus | None
    relay: RelayStatus | None
    ledger: LedgerStatus
    conditions: list[ConditionStatus]
    queue: QueueStatus | None
    attempts: AttemptsStatus | None
    failing_domains: list[FailingDomain]
    expiries: list[Expiry]
    held_back: list[HeldBack]
    fallbacks: list[RelayStatus] = field(default_factory=list)
    replicas: list[ReplicaStatus] = field(default_factory=list)

    @property
    def stand_in(self) -> str | None:
        """The place of the fallback through which mail goes now; None where it goes through none of them."""
        return next((relay.place for relay in self.fallbacks if relay.carries), None)

    @property
    def polled_by(self) -> str | None:
        """The host of the sender that polls for the one that answers, "" where none does now; None: it needs none."""
        ours = next((one for one in self.replicas if one.answers), None)
        if ours is None or ours.polls:
            return None
        return next((one.host for one in self.replicas if one.polls), "")
