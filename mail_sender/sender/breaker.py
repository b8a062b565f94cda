"""The lane: the way to the relay, with a breaker, and the question of who is to blame.

A lane is open, or shut until some moment; then one letter goes as a probe, and its success opens the lane. What the
failure is decides how long it is shut, doubling with each probe that fails:

    relay, network          5 s to 30 s        connect, time-outs, 421, cut connections: the weather
    relay, lasting         30 s to 5 min       certificate, STARTTLS, greeting, sender refused: a person mends it
    suspicion              30 s to 1 min       see below
    login                  60 s to 15 min      each try may help to lock the account

Only the probe's end counts while the lane is shut: what was under way before neither opens it nor shuts it longer.
A new lane is tried by one letter first, and by another each second, until one has come through: a wrong password
should not be tried four times before the first answer. Where the relay turns connections away while others stand,
it has a limit: fewer letters go at a time, for a while.

Three questions that no single reply answers:

- A failure at RCPT or later may be of the recipient's domain. While it is in doubt, a letter to any other domain may
  test the lane at once, up to ten domains; where one comes through, the lane is open.
- A refusal that speaks of policy (5.7.x, "relaying denied") may mean this recipient, or our configuration. It is a
  suspicion: the delivery stays queued, and one letter goes as a probe at once. If that is accepted, the lane is fine,
  and a second refusal of the suspect is its own; if it is refused so too, the lane is shut and in doubt. Refusals of
  an address (5.1.x, 5.2.x, "no such user") are never read that way, and neither shut nor open the lane: the next
  letter goes as a probe at once. Three refusals in a row that say nothing, to two or more domains, raise the same
  suspicion.
- A cut at the dot of one letter is an accident; of two different ones in a row it is the relay.
"""

import re
from dataclasses import dataclass

from mail_sender import address
from mail_sender.backoff import Backoff
from mail_sender.ledger.base import Key
from mail_sender.verdict import Accepted, Refused, RelayDown, Reply, Stage, Uncertain, Verdict

MOST_REFUSED = 3
"""Refusals in a row that say nothing, after which our configuration is suspected."""
MOST_TESTED = 10
"""Domains that may test a lane in doubt before it is their turn."""
MOST_REMEMBERED = 1_000
STAGGER = 1.0
"""Seconds between the first letters of a lane through which none has come yet."""
LIMIT_LASTS = 300.0
"""Seconds for which fewer letters go at a time, after the relay turned a connection away."""

_RELAYING = re.compile(
    r"relay(ing)?\b.{0,40}\b(den|prohib|not (allow|permit))|not permitted to relay|"
    r"sender\b.{0,40}\b(not (allow|permit|verif|authori)|reject|den|unverified)|not verified|"
    r"authentication (is )?required",
    re.IGNORECASE,
)
_OF_AN_ADDRESS = re.compile(
    r"no such (user|mailbox|recipient)|(user|recipient|mailbox|address|account) (is )?(unknown|not found|"
    r"does not exist|unavailable|disabled|inactive)|(unknown|invalid) (user|recipient|mailbox|address)|"
    r"mailbox (is )?full|over quota|doesn't exist|does not exist",
    re.IGNORECASE,
)
_ITS_OWN = re.compile(r"^5\.([12]\.|3\.4)")
_OF_A_RECIPIENT = frozenset({Stage.RCPT, Stage.DATA, Stage.BODY, Stage.DOT})
_BEFORE_A_MAIL = frozenset({Stage.TLS, Stage.BANNER, Stage.EHLO, Stage.AUTH, Stage.MAIL})


WEATHER = Backoff(5.0, 30.0)
LASTING = Backoff(30.0, 300.0)
SUSPICION = Backoff(30.0, 60.0)
LOGIN = Backoff(60.0, 900.0)


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """The permission to use the lane once, and under which of its openings it was given."""

    opening: int
    key: Key
    probe: bool


class Breaker:
    """One relay's lane, for at most `most` letters at a time. All times are monotonic, in seconds."""

    def __init__(self, most: int = 4) -> None:
        self._most = most
        self._limit = most
        self._limited_until = float("-inf")
        self._out: set[Permit] = set()
        self._proven = False
        self._entered_at = float("-inf")
        self._opening = 0
        self._shut_until: float | None = None
        self._wait = 0.0
        self._probe: Permit | None = None
        self._suspicion = False
        self._doubt = False
        self._tested: set[str] = set()
        self._suspects: dict[Key, float] = {}
        self._accepted_at = float("-inf")
        self._refused: dict[Key, str] = {}
        self._cut: set[Key] = set()

    @property
    def is_shut(self) -> bool:
        """Whether letters wait for a probe."""
        return self._shut_until is not None

    @property
    def in_doubt(self) -> bool:
        """Whether a letter that is not the next one may test the lane, since it goes to another domain."""
        return self._doubt

    def room(self, now: float) -> int:
        """Return how many more letters may be under way."""
        if now >= self._limited_until:
            self._limit = self._most
        return max(0, self._limit - len(self._out))

    def opens_in(self, now: float) -> float:
        """Return the seconds until a letter may go; without end while a probe is under way."""
        if self._shut_until is None:
            return max(0.0, self._entered_at + STAGGER - now) if self._is_staggered(now) else 0.0
        return float("inf") if self._probe else max(0.0, self._shut_until - now)

    def probe_now(self) -> None:
        """Let the next letter go as a probe, whatever the wait."""
        if self._shut_until is not None:
            self._shut_until = float("-inf")

    def enter(self, key: Key, now: float) -> Permit | None:
        """Return the permission to send a letter, or None where it has to wait."""
        if self._shut_until is None:
            if self._is_staggered(now):
                return None
        elif self._probe or (now < self._shut_until and not self._may_test(key)):
            return None
        given = Permit(self._opening, key, probe=self.is_shut)
        if given.probe:
            self._probe = given
            self._tested.add(_domain(key))
        self._out.add(given)
        self._entered_at = now
        return given

    def reached_dot(self, used: Permit, now: float) -> None:
        """Take in that all but the dot went through: a slow answer to it keeps no other probe waiting."""
        self._proven = True
        if self._probe is used:
            self._probe = None
            self._shut_until = now + self._wait

    def leave(self, used: Permit) -> None:
        """Give a permission back."""
        self._out.discard(used)
        if self._probe is used:
            self._probe = None

    def judge(self, used: Permit, verdict: Verdict, now: float) -> Verdict:
        """Take in a letter's verdict, and return it with the blame where it belongs."""
        judged = self._blame(used.key, verdict, now)
        if isinstance(judged, Accepted):
            self._accepted_at = now
            self._refused.clear()
            self._cut.clear()
        elif isinstance(judged, Uncertain):
            self._cut.add(used.key)
        self._proven |= not isinstance(judged, RelayDown)
        if used.opening == self._opening and (used.probe or not self.is_shut):
            if self._probe is used:
                self._probe = None
            self._turn(used, judged, now)
        self._out.discard(used)
        return judged

    def _turn(self, used: Permit, verdict: Verdict, now: float) -> None:
        """Shut or open the lane after a letter that may decide it."""
        match verdict:
            case RelayDown() if self._is_a_limit(verdict, now):
                self._limit = max(1, len(self._out) - 1)
                self._limited_until = now + LIMIT_LASTS
            case RelayDown(stage) if self._suspicion and not self.is_shut:
                self._shut_until = now
                self._doubt = stage in _OF_A_RECIPIENT
                self._tested.add(_domain(used.key))
            case RelayDown(stage):
                self._shut(SUSPICION if self._suspicion else _backoff(verdict), now)
                self._doubt = stage in _OF_A_RECIPIENT
                self._tested.add(_domain(used.key))
            case Uncertain() if len(self._cut) > 1 or self.is_shut:
                self._shut(WEATHER, now)
            case Accepted():
                self._open()
            case _ if self._suspicion:
                self._shut_until = now
            case _:
                self._open()

    def _is_a_limit(self, verdict: RelayDown, now: float) -> bool:
        """Say whether the relay turned a connection away while it served others."""
        serves = now - self._accepted_at < 60 and len(self._out) > 1
        return serves and not self.is_shut and not verdict.lasting and verdict.stage in _BEFORE_A_MAIL

    def _is_staggered(self, now: float) -> bool:
        return not self._proven and bool(self._out) and now < self._entered_at + STAGGER

    def _shut(self, backoff: Backoff, now: float) -> None:
        self._wait = backoff.longer(self._wait)
        self._shut_until = now + self._wait

    def _open(self) -> None:
        if self._shut_until is not None:
            self._opening += 1
        self._shut_until = None
        self._wait = 0.0
        self._suspicion = self._doubt = False
        self._tested.clear()

    def _blame(self, key: Key, verdict: Verdict, now: float) -> Verdict:
        """Return a refusal that may be the fault of our configuration as the lane's, until the lane is cleared."""
        if not isinstance(verdict, Refused) or verdict.reply is None or verdict.stage not in _OF_A_RECIPIENT:
            return verdict
        if not self._is_suspicious(verdict.reply, key):
            return verdict
        if self._suspects.pop(key, float("inf")) < self._accepted_at:
            return verdict
        if len(self._suspects) < MOST_REMEMBERED:
            self._suspects[key] = now
        self._suspicion = True
        return RelayDown(
            verdict.stage,
            f"the relay answers {verdict.reply}",
            "if it says so to everybody, this login may not send from mail_from_address, or not to other domains: "
            "look at mail_username and at the provider's verified senders; mail waits until one is accepted",
            lasting=True,
            reply=verdict.reply,
        )

    def _is_suspicious(self, reply: Reply, key: Key) -> bool:
        enhanced = reply.enhanced or ""
        policy = enhanced.startswith("5.7.") or bool(_RELAYING.search(reply.text))
        if _ITS_OWN.match(enhanced) or (not policy and _OF_AN_ADDRESS.search(reply.text)):
            return False
        self._refused[key] = _domain(key)
        return policy or (len(self._refused) >= MOST_REFUSED and len(set(self._refused.values())) > 1)

    def _may_test(self, key: Key) -> bool:
        return self._doubt and _domain(key) not in self._tested and len(self._tested) < MOST_TESTED


def _domain(key: Key) -> str:
    return address.domain(key[1]).lower()


def _backoff(verdict: RelayDown) -> Backoff:
    if verdict.stage is Stage.AUTH and verdict.lasting:
        return LOGIN
    return LASTING if verdict.lasting else WEATHER
