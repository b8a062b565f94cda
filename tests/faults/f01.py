"""F1: every odd reply at every stage, on the first connection and after a mail that went well.

Each reply comes once. A relay that says no for good to this one mail is believed; anything else must end in one mail,
and in one only, unless the odd reply answered the dot without being a yes or a no. And one recipient for whom the relay
has an odd reply each time holds up none of four others. `-t` ends with 0 only for a mail that was accepted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tests.faults.family import Case, Family
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import HEALTHY, Behave, Behaviour, Step, first

REPLIES: Mapping[str, bytes] = {
    "251": b"251 2.0.0 as you wish",
    "299": b"299 fine",
    "334": b"334 VXNlcm5hbWU6",
    "354": b"354 go on",
    "421": b"421 4.3.2 closing",
    "450": b"450 4.2.1 greylisted, try again",
    "451": b"451 4.3.0 local error",
    "452": b"452 4.2.2 mailbox full",
    "454": b"454 4.7.0 not now",
    "500": b"500 5.5.2 what?",
    "501": b"501 5.5.4 bad parameter",
    "502": b"502 5.5.1 not implemented",
    "503": b"503 5.5.1 bad sequence",
    "504": b"504 5.5.4 no such parameter",
    "530": b"530 5.7.0 log in first",
    "535": b"535 5.7.8 bad login",
    "550": b"550 5.1.1 no such user",
    "551": b"551 5.1.6 not local",
    "552": b"552 5.3.4 too large",
    "553": b"553 5.1.3 bad address",
    "554": b"554 5.6.0 bad content",
    "555": b"555 5.5.4 parameters",
    "5.7.1": b"550 5.7.1 relay access denied",
    "999": b"999 no such code",
    "garbage": b"\x80\xff hello",
    "lines": b"451-4.3.0 one\r\n451-4.3.0 two\r\n451 4.3.0 three",
    "two codes": b"250-one\r\n250-two\r\n451 4.3.0 three",
    "endless": b"250 " + b"x" * 40 * 1024,
}
STAGES = (Step.BANNER, Step.EHLO, Step.STARTTLS, Step.AUTH, Step.MAIL, Step.RCPT, Step.DATA, Step.DOT)
_IN_THE_MAIL = frozenset({Step.MAIL, Step.RCPT, Step.DATA, Step.DOT})
_REFUSALS = tuple(name for name in REPLIES if name[0] in "45")
_NEITHER = frozenset({"334", "354", "999", "garbage", "endless"})


def cases(_seed: int) -> Sequence[Case]:
    """Return a case for each reply at each stage, fresh and reused."""
    return [*_cases(), *(Case(f"one of five {name}", _OneOfFive(name), exactly_once=True) for name in _REFUSALS)]


def _cases() -> Iterator[Case]:
    for step in STAGES:
        for name in REPLIES:
            neither = step is Step.DOT and name in _NEITHER
            for reused in (False, True):
                play = _Odd(step, name, reused=reused)
                title = f"{step} {name} {'reused' if reused else 'fresh'}"
                yield Case(title, play, exactly_once=not neither, always=neither)
            yield Case(f"-t {step} {name}", _TestMail(step, name))


class _Odd:
    """The play of one odd reply; `reused` puts a good mail before it."""

    def __init__(self, step: Step, name: str, *, reused: bool) -> None:
        self._step = step
        self._name = name
        self._reused = reused

    async def __call__(self, rig: Rig) -> None:
        if self._step is Step.STARTTLS:
            await rig.listen(implicit=False)
        rig.relay.behave = self._behave(rig)
        if self._reused:
            # Two messages for one address go one after the other, and on one connection where that is kept.
            rig.mail("ellie@example.com")
            rig.mail("ellie@example.com")
        else:
            rig.mail()
        if self._step in _IN_THE_MAIL and self._name.startswith("5"):
            rig.queued = [replace(queued, may_fail=True) for queued in rig.queued]
        await rig.start()
        await rig.drained()

    def _behave(self, rig: Rig) -> Behave:
        odd = {self._step: REPLIES[self._name] + b"\r\n"}
        if not self._reused:
            return first(Behaviour(replies=odd))
        if self._step not in _IN_THE_MAIL:
            return _by_number(Behaviour(mails=1), Behaviour(replies=odd))
        kept = _by_number(Behaviour(replies=odd, from_mail=2))
        # Where the connection was not kept, the odd reply comes on the next one.
        return lambda number: Behaviour(replies=odd) if number == 2 and _mails_on_the_first(rig) < 2 else kept(number)


class _TestMail:
    """The play of one odd reply to a test mail, which nobody repeats."""

    def __init__(self, step: Step, name: str) -> None:
        self._step = step
        self._name = name

    async def __call__(self, rig: Rig) -> None:
        await rig.listen(implicit=self._step is not Step.STARTTLS)
        rig.relay.behave = first(Behaviour(replies={self._step: REPLIES[self._name] + b"\r\n"}))
        await rig.test_mail()


class _OneOfFive:
    """The play of an odd reply to one recipient, whenever he is named, among four that are fine."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, rig: Rig) -> None:
        bad, *_ = [rig.mail() for _ in range(5)]
        rig.queued[0] = replace(bad, may_fail=True)
        rig.aimed.add(bad.id)
        odd = Behaviour(refusals={bad.recipients[0]: REPLIES[self._name] + b"\r\n"})
        rig.relay.behave = lambda _: odd
        await rig.start()
        assert await rig.changes.until(lambda: len(rig.relay.mails) == 4), f"{len(rig.relay.mails)} of 4 went out"


def _by_number(*behaviours: Behaviour) -> Behave:
    return lambda number: behaviours[number - 1] if number <= len(behaviours) else HEALTHY


def _mails_on_the_first(rig: Rig) -> int:
    return rig.relay.connections[0].verbs().count("MAIL")


FAMILY = Family("F1", "odd replies at every stage", cases, slice_size=28)
