"""A transport that keeps every mail, and answers as a test has scripted, when it has scripted."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from mail_sender.mail.mail import Mail
from mail_sender.relay.transport import BeforeDot, require_in_time
from mail_sender.verdict import Accepted, Deferred, Refused, Reply, Stage, Uncertain, Verdict
from tests.support.memory_source import dawdle

OK = Accepted(Reply(250, "2.0.0 queued as 4D2F"))


class RecordingTransport:
    """Mails in memory.

    `tried` are all mails handed over, `times` when each was (the loop's seconds), `arrived` those that were (or may
    have been) taken, `arrivals` when each was, `closed` how often it was closed. `in_flight` counts the mails in flight by their recipients,
    `most_in_flight` and `most_to_one` are the most that there were, of all and to one address.
    `meanwhile` is called with each mail before it is answered.
    """

    def __init__(self) -> None:
        self.tried: list[Mail] = []
        self.times: list[float] = []
        self.arrived: list[Mail] = []
        self.arrivals: list[float] = []
        self.closed = 0
        self.in_flight: Counter[str] = Counter()
        self.most_in_flight = 0
        self.most_to_one = 0
        self.meanwhile: Callable[[Mail], None] = lambda _: None
        self._script: dict[str, deque[Verdict]] = {}
        self._always: Verdict | None = None
        self._slow: dict[str, tuple[float, Stage]] = {}
        self._seconds = 0.0

    def script(self, recipient: str, *verdicts: Verdict) -> None:
        """Answer the next mails to a recipient with these in turn; every other mail is accepted."""
        self._script.setdefault(recipient, deque()).extend(verdicts)

    def always(self, verdict: Verdict | None) -> None:
        """Answer every mail so, from now on; None goes back to the script."""
        self._always = verdict

    def slow(self, recipient: str, seconds: float, stage: Stage = Stage.RCPT) -> None:
        """Take so long over mails to a recipient; at the dot it is written already. Infinity hangs."""
        self._slow[recipient] = (seconds, stage)

    def take(self, seconds: float) -> None:
        """Take so long over every mail."""
        self._seconds = seconds

    @property
    def recipients(self) -> list[str]:
        """Who was tried, in order."""
        return [mail.recipient for mail in self.tried]

    def times_of(self, recipient: str) -> list[float]:
        """Return when a recipient was tried."""
        return [time for time, mail in zip(self.times, self.tried, strict=True) if mail.recipient == recipient]

    async def send(self, mail: Mail, before_dot: BeforeDot) -> Verdict:
        """Keep the mail; `before_dot` is awaited where its verdict comes from the dot."""
        self.tried.append(mail)
        self.times.append(asyncio.get_running_loop().time())
        self.in_flight[mail.recipient.casefold()] += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight.total())
        self.most_to_one = max(self.most_to_one, *self.in_flight.values())
        try:
            self.meanwhile(mail)
            return await self._converse(mail, before_dot)
        finally:
            self.in_flight[mail.recipient.casefold()] -= 1

    async def close(self) -> None:
        """Count it."""
        self.closed += 1

    async def _converse(self, mail: Mail, before_dot: BeforeDot) -> Verdict:
        seconds, stage = self._slow.get(mail.recipient, (self._seconds, Stage.RCPT))
        verdict = self._answer(mail.recipient)
        if stage is not Stage.DOT:
            await dawdle(seconds)
        if _reaches_the_dot(verdict):
            require_in_time(await before_dot())
            if isinstance(verdict, Accepted | Uncertain):
                self.arrived.append(mail)
                self.arrivals.append(asyncio.get_running_loop().time())
        if stage is Stage.DOT:
            await dawdle(seconds)
        return verdict

    def _answer(self, recipient: str) -> Verdict:
        if self._always is not None:
            return self._always
        script = self._script.get(recipient)
        return script.popleft() if script else OK


def _reaches_the_dot(verdict: Verdict) -> bool:
    match verdict:
        case Accepted() | Uncertain():
            return True
        case Refused(stage=Stage.DOT) | Deferred(stage=Stage.DOT):
            return True
        case _:
            return False
