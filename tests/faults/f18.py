"""F18: MAIL, RCPT and DATA go in one group (RFC 2920), and something is wrong with one reply in the middle of it.

Each reply of a group is refused, garbled, doubled, or the last one, on the first connections; fresh ones, and ones that
have carried a mail. The replies come one by one, or in one write. Some relays say 354 to DATA although they refused the
recipient: what they get then is a lone dot, or nothing; and whatever they say to that, nobody got a mail. Others
throw away what was said behind the first command. Sixteen mails are in flight meanwhile.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tests.faults import setting
from tests.faults.family import PATIENT, Case, Family
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import Behaviour, Step
from tests.faults.rig_wire import How

MESSAGES = 24
BROKEN = 4
"""Connections that are broken, each for one mail."""
STALL_SECONDS = 2.0
SLOW = 0.05
"""Seconds that a healthy relay takes at a dot, so that many mails are there at once."""
GROUP = (Step.MAIL, Step.RCPT, Step.DATA)
_YES: Mapping[Step, bytes] = {
    Step.MAIL: b"250 2.1.0 ok\r\n",
    Step.RCPT: b"250 2.1.5 ok\r\n",
    Step.DATA: b"354 go on\r\n",
    Step.DOT: b"250 2.0.0 ok\r\n",
}
_LATER = b"451 4.3.0 try again later\r\n"
_NEVER = b"550 5.1.1 no such user\r\n"
_BYE = b"421 4.3.2 closing\r\n"


def cases(_seed: int) -> Sequence[Case]:
    """Return a case for each fault at each reply, fresh and reused."""
    return [*_replies(), *_ends(), *_for_nobody(), *_forgotten(), Case("in order", in_order, exactly_once=True)]


def _replies() -> Iterator[Case]:
    for step in GROUP:
        odd = {"later": _LATER, "never": _NEVER, "garbage": b"\x80\xff hello\r\n", "doubled": 2 * _YES[step]}
        for name, reply in odd.items():
            for grouped in (False, True):
                behaviour = Behaviour(replies={step: reply}, times=1, grouped=grouped)
                how = "in one write" if grouped else "one by one"
                yield from _cases(f"{step} {name}, {how}", behaviour, exactly_once=True)
    yield from _cases("dot doubled", Behaviour(replies={Step.DOT: 2 * _YES[Step.DOT]}, times=1))


def _ends() -> Iterator[Case]:
    for step in (*GROUP, Step.DOT):
        heard = {"without": b"", "after half of": _YES[step][:6], "after": _YES[step], "after 421 for": _BYE}
        for name, reply in heard.items():
            for how in How:
                behaviour = Behaviour(replies={step: reply}, ends={step: how})
                seconds = STALL_SECONDS if how is How.STALL else PATIENT
                yield from _cases(f"{how} {name} the reply to {step}", behaviour, seconds)


def _for_nobody() -> Iterator[Case]:
    for name, refusal in (("later", _LATER), ("never", _NEVER)):
        for said in (b"554 5.5.1 no valid recipients\r\n", b"250 2.0.0 fine\r\n", _BYE):
            behaviour = Behaviour(replies={Step.RCPT: refusal}, times=1, generous=said)
            yield from _cases(f"RCPT {name}, then 354 and {said[:3].decode()}", behaviour, exactly_once=True)


def _forgotten() -> Iterator[Case]:
    for step in (Step.MAIL, Step.RCPT):
        yield from _cases(f"what follows {step} is thrown away", Behaviour(forgets=step), STALL_SECONDS)


def _cases(
    name: str, behaviour: Behaviour, seconds: float = PATIENT, *, exactly_once: bool = False
) -> Iterator[Case]:
    for reused in (False, True):
        play = _Broken(replace(behaviour, from_mail=2 if reused else 1))
        yield Case(f"{name}, {'reused' if reused else 'fresh'}", play, seconds, exactly_once)


async def in_order(rig: Rig) -> None:
    """Have as many mails in flight as may be, and never two for one address."""
    prepare(rig)
    rig.relay.behave = lambda _: Behaviour(gathers=rig.place.connections)
    await rig.start()
    await rig.drained()
    assert rig.relay.most_at_once == rig.place.connections, f"{rig.relay.most_at_once} mails at once at most"


def prepare(rig: Rig, messages: int = MESSAGES) -> None:
    """Queue so many messages, some for several people and some for the same; let their mails go in groups, many at once."""
    rig.relay.pipelining = True
    rig.place = replace(rig.place, connections=setting.PIPELINED.connections)
    for number in range(messages):
        match number % 12:
            case 0 | 6:
                rig.mail(f"first-{number}@example.com", f"second-{number}@example.com")
            case 1:
                rig.mail("ellie@example.com", reset=True)
            case _:
                rig.mail(f"person-{number}@example.org")


class _Broken:
    """The play of one fault, on the first connections."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    async def __call__(self, rig: Rig) -> None:
        prepare(rig)
        healthy = Behaviour(delays={Step.DOT: SLOW})
        rig.relay.behave = lambda number: self._behaviour if number <= BROKEN else healthy
        if any(reply in {_NEVER, _BYE} for reply in self._behaviour.replies.values()):
            rig.queued = [replace(queued, may_fail=True) for queued in rig.queued]
        await rig.start()
        await rig.drained()
        assert not rig.relay.clashes, f"two mails at once for {rig.relay.clashes[0]}"
        for_nobody = [text for one in rig.relay.connections for text in one.for_nobody]
        assert all(text == b".\r\n" for text in for_nobody), "a mail was said where no recipient was taken"


FAMILY = Family("F18", "a reply in the middle of a group", cases, slice_size=8, together=4)
