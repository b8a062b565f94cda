"""The breakers of senders that share a ledger: what they tell each other, and who may try a relay."""

import pytest

from mail_sender.backoff import LOGIN, NETWORK
from mail_sender.ledger.outages import PROVEN_FOR, TRIED_WITHIN
from mail_sender.sender.relay_gate import Permit, RelayGate
from mail_sender.sender.shared_breaker import GOES_ALONE, NEWS_LASTS, UNUSED, concerns_all
from mail_sender.verdict import Blame, RelayDown, Reply, Stage, Verdict
from tests.support.known_replies import on
from tests.support.memory_outages import MemoryOutages
from tests.support.relay_gates import BAD_CERTIFICATE, BAD_LOGIN, RELAYING, key, refused
from tests.support.samples import CUT, DOWN, NO, OK

TABLE = [
    (RelayDown(Stage.RESOLVE, "no such host", "mend it", lasting=True), False),
    (DOWN, False),
    (BAD_CERTIFICATE, False),
    (on(Stage.BANNER, "421 4.7.0 too many connections"), False),
    (on(Stage.EHLO, "550 5.7.1 your address is blocked"), False),
    (RelayDown(Stage.TOKEN, "503", "wait", lasting=False), False),
    (RelayDown(Stage.TOKEN, "invalid_client", "mend it", lasting=True), True),
    (BAD_LOGIN, True),
    (on(Stage.AUTH, "454 4.7.0 Too many login attempts, please try again later"), True),
    (RelayDown(Stage.AUTH, "cut off", "wait", lasting=False), False),
    (on(Stage.MAIL, "550 5.4.5 Daily user sending quota exceeded"), True),
    (on(Stage.MAIL, "421 4.3.2 system is going down"), True),
    (RelayDown(Stage.MAIL, "cut off", "wait", lasting=False), False),
    (RelayDown(Stage.RCPT, "", "", lasting=True, reply=Reply(550, "account disabled"), blame=Blame.ACCOUNT), True),
    (RelayDown(Stage.RCPT, "", "", lasting=False, reply=Reply(451, "try later"), blame=Blame.PACE), True),
    (RelayDown(Stage.RCPT, "", "", lasting=False, reply=Reply(421, "closing"), blame=Blame.RELAY), False),
    (RelayDown(Stage.DOT, "", "", lasting=True, reply=Reply(554, "spam"), blame=Blame.AMBIGUOUS), False),
]


class Senders:
    """So many senders with one relay, and the time."""

    def __init__(self, number: int = 3) -> None:
        self._outages = MemoryOutages()
        self._number = number
        self.gates = [RelayGate(name="relay") for _ in range(number)]

    @property
    def now(self) -> float:
        """The time."""
        return self._outages.now

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self._outages.now += seconds

    def exchange(self, *senders: int) -> None:
        """Have some of them exchange what they know, or all of them."""
        for number in senders or range(self._number):
            if report := self.gates[number].report(self.now):
                self.gates[number].hear(self._outages.exchange(str(number), report), self.now)

    def start(self, sender: int) -> Permit | None:
        """Have one of them start a mail, as the dispatcher does."""
        self.exchange(sender)
        permit = self.gates[sender].acquire(key(), self.now)
        if permit is None and self.gates[sender].asks:
            self.exchange(sender)
            permit = self.gates[sender].acquire(key(), self.now)
        return permit

    def end(self, sender: int, permit: Permit | None, verdict: Verdict) -> None:
        """Have the relay answer."""
        assert permit is not None
        self.gates[sender].judge(permit, verdict, self.now)
        self.exchange(sender)

    def send(self, sender: int, verdict: Verdict) -> None:
        """Have one of them send a mail that goes."""
        self.end(sender, self.start(sender), verdict)

    def tried(self, seconds: float, verdict: Verdict) -> list[int]:
        """Let time pass while each has mail all the time; return who tried the relay, which always says the same."""
        tried = []
        for _ in range(round(seconds)):
            for sender in range(self._number):
                if permit := self.start(sender):
                    tried.append(sender)
                    self.end(sender, permit, verdict)
            self.passes(1.0)
        return tried

    @property
    def closed(self) -> list[bool]:
        """Whether each one's breaker is closed."""
        return [gate.is_closed for gate in self.gates]


def in_use(number: int = 3) -> Senders:
    """Return senders through which mail goes."""
    senders = Senders(number)
    for sender in range(number):
        senders.send(sender, OK)
    senders.passes(NEWS_LASTS)
    return senders


@pytest.mark.parametrize(("down", "is_so"), TABLE)
def test_which_faults_concern_all(down: RelayDown, is_so: bool) -> None:
    """The table of the module."""
    assert concerns_all(down) is is_so


@pytest.mark.parametrize("senders", [Senders(8), in_use(8)], ids=["started", "in_use"])
def test_a_refused_login_is_tried_as_often_as_by_one_sender(senders: Senders) -> None:
    """After 60, 120, 240 ... seconds, whoever tries: eight senders are no more to an account than one."""
    alone = Senders(1)
    waits = [0, 60, 120, 240, 480]
    assert len(alone.tried(sum(waits) + 1, BAD_LOGIN)) == len(waits)
    assert len(senders.tried(sum(waits) + 1, BAD_LOGIN)) == len(waits)
    assert not any(senders.closed)


def test_the_probe_of_one_closes_the_breakers_of_all() -> None:
    """One goes, the others wait for it; then all go, within what news lasts."""
    senders = in_use()
    senders.send(0, BAD_LOGIN)
    senders.passes(NEWS_LASTS)
    senders.exchange()
    assert senders.closed == [False] * 3
    senders.passes(LOGIN.first)
    probe = senders.start(1)
    assert probe is not None
    assert probe.is_probe
    assert [senders.start(0), senders.start(2)] == [None, None]
    senders.end(1, probe, OK)
    senders.passes(NEWS_LASTS)
    senders.exchange()
    assert senders.closed == [True] * 3


def test_a_probe_that_is_lost_keeps_the_others_for_a_while_only() -> None:
    """Its sender was killed; and one that gave its permission back, unused, keeps nobody."""
    senders = in_use()
    senders.send(0, BAD_LOGIN)
    senders.passes(LOGIN.first)
    assert senders.start(0) is not None
    senders.passes(TRIED_WITHIN - 1)
    assert senders.start(1) is None
    senders.passes(2)
    probe = senders.start(1)
    assert probe is not None
    senders.gates[1].release(probe)
    senders.exchange(1)
    assert senders.start(2) is not None


def test_a_permission_that_no_mail_uses_is_given_back() -> None:
    """What was due may be gone by then; at a stop, it is given back at once."""
    senders = Senders()
    for number, at_end in ((0, False), (1, True)):
        gate = senders.gates[number]
        assert gate.acquire(key(), senders.now) is None
        senders.exchange(number)
        assert senders.start(2) is None
        senders.passes(UNUSED + 1)
        report = gate.report(senders.now, at_end=at_end)
        assert report is not None
        assert report.gives_back
        gate.hear(senders._outages.exchange(str(number), report), senders.now)
    senders.passes(1.0)
    assert senders.start(2) is not None


def test_while_a_probe_hangs_at_its_dot_another_may_go_after_one_more_wait() -> None:
    """Whoever sends it; the first mail of senders that start shows at its dot that the login is good."""
    senders = in_use()
    senders.send(0, BAD_LOGIN)
    senders.passes(LOGIN.first)
    probe = senders.start(0)
    assert probe is not None
    senders.gates[0].reached_dot(probe, senders.now)
    senders.exchange(0)
    senders.passes(LOGIN.first - 1)
    assert senders.start(1) is None
    senders.passes(1)
    assert senders.start(1) is not None
    fresh = Senders()
    first = fresh.start(0)
    assert first is not None
    assert fresh.start(1) is None
    fresh.gates[0].reached_dot(first, fresh.now)
    fresh.exchange(0)
    fresh.passes(NEWS_LASTS)
    assert fresh.start(1) is not None


def test_a_fault_of_one_sender_keeps_no_other() -> None:
    """Its network is down: the others go on, and it waits for itself, as it does alone."""
    senders = in_use()
    senders.send(0, DOWN)
    senders.passes(NEWS_LASTS)
    senders.exchange()
    assert senders.closed == [False, True, True]
    assert senders.gates[0].retry_in(senders.now) == NETWORK.first - NEWS_LASTS
    senders.send(1, OK)
    senders.passes(NETWORK.first)
    senders.send(0, OK)
    assert senders.closed == [True] * 3


def test_a_login_that_only_one_machine_may_not_use_stops_the_others_once() -> None:
    """The provider lets in the others' addresses: after their probe was accepted, its refusals are its own."""
    senders = in_use()
    senders.send(0, BAD_LOGIN)
    senders.passes(LOGIN.first)
    senders.send(1, OK)
    senders.passes(NEWS_LASTS)
    senders.send(0, BAD_LOGIN)
    senders.passes(NEWS_LASTS)
    senders.exchange()
    assert senders.closed == [False, True, True]
    senders.passes(LOGIN.first)
    senders.send(0, OK)
    senders.send(0, BAD_LOGIN)
    senders.passes(NEWS_LASTS)
    senders.exchange()
    assert senders.closed == [False] * 3


def test_a_probe_that_fails_by_its_own_network_leaves_the_next_to_another() -> None:
    """It says nothing about the login."""
    senders = in_use()
    senders.send(0, BAD_LOGIN)
    senders.passes(LOGIN.first)
    senders.send(0, DOWN)
    senders.send(1, OK)
    senders.passes(NEWS_LASTS)
    senders.exchange()
    assert senders.closed == [True] * 3


@pytest.mark.parametrize("verdict", [NO, CUT, RELAYING, refused("rejected")])
def test_what_the_relay_says_of_one_mail_keeps_no_other_sender(verdict: Verdict) -> None:
    """And whoever had the permission to go first has it no more."""
    senders = Senders()
    senders.send(0, verdict)
    senders.passes(NEWS_LASTS)
    assert senders.start(1) is not None
    assert senders.closed[1:] == [True, True]


def test_one_that_starts_during_an_outage_keeps_the_first_wait_and_not_the_longest() -> None:
    """A restart is what people try; and however often it is restarted, the account is tried once a minute at most."""
    senders = in_use(2)
    senders.tried(60 + 120 + 240 + 5, BAD_LOGIN)
    senders.gates[0] = RelayGate(name="relay")
    assert senders.start(0) is None
    senders.passes(LOGIN.first - 10)
    assert senders.start(0) is None
    senders.passes(10)
    senders.send(0, BAD_LOGIN)
    senders.passes(LOGIN.first)
    assert senders.start(0) is None


def test_an_operator_has_a_probe_at_once() -> None:
    """Unless there is one already: then that one is what was asked for."""
    senders = in_use()
    senders.send(0, BAD_LOGIN)
    senders.gates[1].probe_now()
    probe = senders.start(1)
    assert probe is not None
    senders.gates[2].probe_now()
    assert senders.start(2) is None
    senders.passes(0.5)
    senders.end(1, probe, BAD_LOGIN)
    senders.passes(1.0)
    assert senders.start(2) is None
    senders.gates[2].probe_now()
    assert senders.start(2) is not None


@pytest.mark.parametrize("before", [10, 60 + 120 + 240 + 480 + 900 + 10])
def test_a_flush_on_all_senders_is_one_probe(before: int) -> None:
    """Not one for each of them, however long the wait is by now."""
    senders = in_use(8)
    senders.tried(before, BAD_LOGIN)
    for gate in senders.gates:
        gate.probe_now()
    senders.passes(0.1)
    senders.exchange()
    senders.passes(0.1)
    assert len(senders.tried(30, BAD_LOGIN)) == 1
    waits = [gate.retry_in(senders.now) or 0.0 for gate in senders.gates]
    assert min(waits) > LOGIN.first  # nobody goes on asking for it


def test_one_that_has_just_started_waits_as_the_others_do_once_one_of_them_has_tried() -> None:
    """It would have tried the same login."""
    senders = Senders()
    senders.exchange()
    senders.passes(5.0)
    senders.send(0, BAD_LOGIN)
    senders.passes(NEWS_LASTS)
    senders.exchange(1)
    assert senders.gates[1].retry_in(senders.now) == LOGIN.first - NEWS_LASTS


def test_after_a_quiet_time_one_goes_first_again() -> None:
    """The password may have run out overnight."""
    senders = in_use(8)
    senders.passes(PROVEN_FOR)
    assert senders.tried(5, BAD_LOGIN) == [0]


def test_a_sender_that_hears_nothing_goes_by_itself() -> None:
    """Sharing is no reason not to mail: not before the first answer is overdue, and not after."""
    senders = in_use(1)
    senders.send(0, BAD_LOGIN)
    gate, now = senders.gates[0], senders.now + LOGIN.first
    assert now > GOES_ALONE
    assert gate.retry_in(now) == 0.0
    assert gate.acquire(key(), now) is not None


def test_a_mail_that_ends_while_the_others_are_heard_counts_more_than_what_they_said() -> None:
    """What they say is older."""
    senders = in_use()
    permit = senders.start(0)
    senders.passes(NEWS_LASTS)
    gate = senders.gates[0]
    report = gate.report(senders.now)
    assert report is not None
    heard = senders._outages.exchange("0", report)
    assert permit is not None
    gate.judge(permit, BAD_LOGIN, senders.now)
    gate.hear(heard, senders.now)
    assert not gate.is_closed
    senders.exchange(0)
    senders.exchange(1)
    assert senders.closed[:2] == [False, False]
