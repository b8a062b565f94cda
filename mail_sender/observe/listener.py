"""The listener: serves health, metrics and the page where `[observe] listen` says, as long as the process lives.

It is off unless the configuration switches it on, and what it needs is imported only then. A change of the
configuration moves it. If it cannot listen, mail goes out all the same: that is logged once, and tried again and
again, so that a stand-by sender gets the port of the one that it follows.
"""

import asyncio
import errno
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import structlog

from mail_sender.clock import Clock
from mail_sender.condition import Condition
from mail_sender.observe.config import ObserveConfig
from mail_sender.observe.place import Place, TcpPlace
from mail_sender.observe.watched import Watched
from mail_sender.sender.observation import Observation

if TYPE_CHECKING:
    from mail_sender.observe.metrics import Metrics

TRY_AGAIN = 5.0
"""Seconds until a place that could not be used is tried again."""

_log = structlog.get_logger()
_ADVICE = {
    errno.EADDRINUSE: "another program listens there: end it, or choose another port in [observe] listen",
    errno.EADDRNOTAVAIL: "this machine has no such address: correct [observe] listen",
    errno.EACCES: "mail-sender may not listen there: choose a port from 1024 on, or a folder that it can write",
    errno.EPERM: "mail-sender may not listen there: choose a port from 1024 on, or a folder that it can write",
    errno.ENOENT: "the folder does not exist: create it (systemd: RuntimeDirectory=mail-sender)",
    errno.EEXIST: "a file that is no socket is in the way: move it, or choose another path in [observe] listen",
}
_OTHER_ADVICE = "correct [observe] listen"


class Listener:
    """Listens where the configuration says. `watched` is what is shown, None while the sender stands by."""

    def __init__(self, clock: Clock) -> None:
        self.watched: Watched | None = None
        self._clock = clock
        self._metrics: Metrics | None = None
        self._condition = Condition("observe")
        self._place: Place | None = None
        self._open = ExitStack()
        self._trying: asyncio.Task[None] | None = None

    def observe(self, seen: Observation) -> None:
        """Take in an observation of the flow: the metrics count since the listener was switched on."""
        if self._metrics is not None:
            self._metrics.observe(seen)

    async def follow(self, config: ObserveConfig) -> None:
        """Listen where this configuration says; what stays the same is left alone."""
        if config.listen == self._place and self._trying is None:
            return
        self.close()
        self._place = config.listen
        if self._place is None:
            self._condition = Condition("observe")
        elif not await self._listens(self._place):
            self._trying = asyncio.ensure_future(self._try_again(self._place))

    def close(self) -> None:
        """Listen no more, and drop whoever is being answered; closing twice does no harm."""
        if self._trying is not None:
            self._trying.cancel()
            self._trying = None
        self._place = None
        self._open.close()

    async def _try_again(self, place: Place) -> None:
        while True:
            await self._clock.wait(asyncio.Event(), TRY_AGAIN)
            if await self._listens(place):
                self._trying = None
                return

    async def _listens(self, place: Place) -> bool:
        """Listen there; say whether that is possible."""
        from mail_sender.observe import routes  # noqa: PLC0415 - megabytes that only a listener needs
        from mail_sender.observe.metrics import Metrics  # noqa: PLC0415 - as above
        from mail_sender.web.gate import LOOPBACK_NAMES, Gate  # noqa: PLC0415 - as above
        from mail_sender.web.server import WebServer  # noqa: PLC0415 - as above

        self._metrics = self._metrics or Metrics()
        with ExitStack() as opened:
            try:
                listening = opened.enter_context(place.listening())
                shown = TcpPlace(place.host, listening.getsockname()[1]) if isinstance(place, TcpPlace) else place
                # Elsewhere nobody knows under which names it is reached.
                names = LOOPBACK_NAMES | {place.name} if isinstance(place, TcpPlace) and place.is_loopback else None
                server = WebServer(Gate(routes.application(lambda: self.watched, self._metrics), names))
                opened.callback(server.close)
                await server.start(listening)
            except OSError as error:
                self._note(place, error)
                return False
            self._open = opened.pop_all()
        self._condition.up(self._clock.now())
        _log.info("observe_listening", at=str(shown))
        return True

    def _note(self, place: Place, error: OSError) -> None:
        number = error.errno or 0
        kind = errno.errorcode.get(number, "error").lower()
        detail = f"cannot listen at {place}: {os.strerror(number).lower() if number else error}"
        advice = f"{_ADVICE.get(number, _OTHER_ADVICE)}; mail goes out meanwhile, and it is tried again"
        self._condition.down(kind, detail, advice, self._clock.now())
