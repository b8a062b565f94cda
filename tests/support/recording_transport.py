"""A way out that keeps every letter, and answers as a test has scripted."""

from collections import deque
from collections.abc import Callable

from mail_sender.deliver.base import BeforeDot
from mail_sender.render import Letter
from mail_sender.verdict import Accepted, Deferred, Refused, Reply, Stage, Uncertain, Verdict

OK = Accepted(Reply(250, "2.0.0 queued as 4D2F"))


class RecordingTransport:
    """Letters in memory.

    `tried` are all letters handed over, `arrived` those that were (or may have been) taken, `closed` how often it
    was closed. `meanwhile` is called with each letter before it is answered.
    """

    def __init__(self) -> None:
        self.tried: list[Letter] = []
        self.arrived: list[Letter] = []
        self.closed = 0
        self.meanwhile: Callable[[Letter], None] = lambda _: None
        self._script: dict[str, deque[Verdict]] = {}
        self._always: Verdict | None = None

    def script(self, recipient: str, *verdicts: Verdict) -> None:
        """Answer the next letters to a recipient with these in turn; every other letter is accepted."""
        self._script.setdefault(recipient, deque()).extend(verdicts)

    def always(self, verdict: Verdict | None) -> None:
        """Answer every letter so, from now on; None goes back to the script."""
        self._always = verdict

    @property
    def recipients(self) -> list[str]:
        """Who was tried, in order."""
        return [letter.recipient for letter in self.tried]

    async def send(self, letter: Letter, before_dot: BeforeDot) -> Verdict:
        """Keep the letter; `before_dot` is awaited where its verdict comes from the dot."""
        self.tried.append(letter)
        self.meanwhile(letter)
        verdict = self._answer(letter.recipient)
        if _reaches_the_dot(verdict):
            await before_dot()
        if isinstance(verdict, Accepted | Uncertain):
            self.arrived.append(letter)
        return verdict

    async def close(self) -> None:
        """Count it."""
        self.closed += 1

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
