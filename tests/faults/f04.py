"""F4: TLS that must not be trusted, or that does not come about, on the first two connections; then all is mended.

Meanwhile no login and no mail is said, the message stays queued and costs no attempt; afterwards it goes out once.
`mail-sender -t` says so with its exit code.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mail_sender.ledger.states import State
from tests.faults.family import PATIENT, Case, Family
from tests.faults.lives import forgive
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import Behaviour, Step
from tests.faults.rig_tls import Certificates
from tests.faults.rig_wire import Cut, How

Make = Callable[[Certificates], Behaviour]
STALL_SECONDS = 2.0

# Whoever takes these for the relay's own answers believes that he has sent a mail.
_EVIL = b"".join(
    line + b"\r\n"
    for line in (b"250-evil.example", b"250 AUTH PLAIN", b"235 ok", b"250 ok", b"250 ok", b"354 go on", b"250 thanks")
)
_DISCARDED = "injected after the 220"
"""What is slipped in there has to be forgotten (RFC 3207, section 4.2): TLS then is the relay's own, and good."""

_CERTIFICATES: dict[str, Make] = {
    "expired": lambda made: Behaviour(tls=made.expired),
    "not yet valid": lambda made: Behaviour(tls=made.not_yet_valid),
    "wrong name": lambda made: Behaviour(tls=made.wrong_name),
    "wrong CA": lambda made: Behaviour(tls=made.wrong_ca),
    "self-signed": lambda made: Behaviour(tls=made.self_signed),
    "TLS 1.1 only": lambda made: Behaviour(tls=made.tls11),
    "handshake stall": lambda _: Behaviour(hangs=True),
}
_IN_CLEAR: dict[str, Make] = {
    "STARTTLS stripped": lambda _: Behaviour(offers_starttls=False),
    "454": lambda _: Behaviour(replies={Step.STARTTLS: b"454 4.7.0 TLS not available\r\n"}),
    "injected after the 220": lambda _: Behaviour(replies={Step.STARTTLS: b"220 go on\r\n" + _EVIL}),
}
_ON_THE_TLS_PORT: dict[str, Make] = {
    "plain text": lambda _: Behaviour(plain=b"220 relay.example ESMTP\r\n", hangs=True),
    "421 in clear": lambda _: Behaviour(plain=b"421 4.3.2 nobody there\r\n", cut=Cut("down", 24, How.FIN)),
    "injected before the handshake": lambda _: Behaviour(plain=_EVIL),
}


def cases(_seed: int) -> Sequence[Case]:
    """Return ten cases for each way in which TLS starts."""
    made = [
        *(("STARTTLS", name, make, False) for name, make in {**_CERTIFICATES, **_IN_CLEAR}.items()),
        *(("implicit", name, make, True) for name, make in {**_CERTIFICATES, **_ON_THE_TLS_PORT}.items()),
    ]
    return [
        Case(
            f"{mode} {name}",
            _Untrusted(make, implicit=implicit, discarded=name == _DISCARDED),
            _seconds(name),
            exactly_once=True,
        )
        for mode, name, make, implicit in made
    ]


def _seconds(name: str) -> float:
    return STALL_SECONDS if name in {"handshake stall", "plain text"} else PATIENT


class _Untrusted:
    """The play of one fault of TLS."""

    def __init__(self, make: Make, *, implicit: bool, discarded: bool) -> None:
        self._make = make
        self._implicit = implicit
        self._discarded = discarded

    async def __call__(self, rig: Rig) -> None:
        await rig.listen(implicit=self._implicit)
        bad = self._make(rig.certificates)
        rig.relay.behave = lambda _: bad
        rig.place = replace(rig.place, connect_timeout=STALL_SECONDS if bad.hangs else PATIENT)
        queued = rig.mail()
        await rig.start()
        if self._discarded:
            await rig.drained()
            return
        assert await rig.changes.until(lambda: len(rig.relay.connections) >= 2), "it is not tried again"
        (row,) = await rig.rows()
        assert (row.delivery.state, row.delivery.attempts) in {(State.QUEUED, 0), (State.PROCESSING, 0)}, row
        assert not rig.relay.mails
        assert not any(one.logged_in for one in rig.relay.connections)
        assert rig.api.sent_at(queued.id) is None
        await rig.stop()
        connections = len(rig.relay.connections)
        await rig.test_mail()
        forgive(rig, connections)  # it is the operator's, and may come right after one of the sender's


FAMILY = Family("F4", "TLS that cannot be trusted", cases, slice_size=20, together=8)
