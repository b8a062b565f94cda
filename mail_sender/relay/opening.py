"""How a connection to the relay begins: its name, TCP, TLS and the greeting, at the first address that greets well.

    name -> addresses -> for each in turn: TCP -> TLS, if it comes first -> greeting

1. An address whose greeting is not good leaves the others their turn. One that is only slow keeps trying, while the
   next one is tried beside it: the first good greeting wins.
2. If none is good, the error of the address that came furthest is raised.
3. A relay that says nothing may wait for TLS. After a while it is asked on a second connection, so that a wrong
   `mail_relay` does not take five minutes to be found.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass

import structlog

from mail_sender.relay import addresses, deadlines
from mail_sender.relay.addresses import Address
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.known import KnownRelay
from mail_sender.relay.protocol import Rejected, RelayProtocol, is_expected
from mail_sender.verdict import Reply, Stage

_log = structlog.get_logger()

_STAGES = list(Stage)


@dataclass
class Opening:
    """The beginning of one connection. `stage` is the step in progress, or the one that failed."""

    config: RelayConfig
    context: ssl.SSLContext
    known: KnownRelay
    cleaned: Callable[[str], str]
    implicit_tls: bool
    stage: Stage = Stage.RESOLVE

    async def greeted(self) -> RelayProtocol:
        """Return a connection whose greeting was good. Raises `Rejected`, or what the network or TLS raise."""
        config = self.config
        found = self.known.addresses or await self._looked_up()
        if config.is_local:
            addresses.require_local(found)
        self.stage = Stage.CONNECT
        waiting = addresses.in_order(found, self.known.address)
        share = config.connect_timeout / max(len(waiting), 1)
        candidates: dict[asyncio.Future[RelayProtocol], _Candidate] = {}
        failures: list[tuple[Stage, BaseException]] = []
        try:
            while waiting or candidates or not failures:
                if waiting or not candidates:
                    candidate = _Candidate(self)
                    candidates[asyncio.ensure_future(candidate.greeted(waiting))] = candidate
                done, _ = await asyncio.wait(candidates, timeout=share, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    candidate, error = candidates.pop(one), one.exception()
                    if error is None:
                        self.stage = Stage.BANNER
                        self.known.greeted(candidate.address)
                        return one.result()
                    _log.debug("relay_address_failed", address=candidate.place, stage=candidate.stage.value)
                    failures.append((candidate.stage, error))
            self.stage, furthest = max(failures, key=lambda failure: _STAGES.index(failure[0]))
            raise furthest
        finally:
            await addresses.give_up(candidates, RelayProtocol.abort)

    async def _looked_up(self) -> Sequence[Address]:
        with self.known.timed(Stage.RESOLVE):
            return await addresses.of(self.config.host, self.config.port, self.config.connect_timeout)


class _Candidate:
    """One address after the other until one takes the connection; that one has to greet well."""

    def __init__(self, opening: Opening) -> None:
        self.stage = Stage.CONNECT
        self.address: Address | None = None
        self._opening = opening
        self._config = opening.config

    @property
    def place(self) -> str | None:
        """The IP address whose turn it was, None if no address took the connection."""
        return addresses.shown(self.address) if self.address else None

    async def greeted(self, waiting: list[Address]) -> RelayProtocol:
        """Return a connection whose greeting was good; the addresses that were tried leave `waiting`."""
        timed, is_encrypted = self._opening.known.timed, self._opening.implicit_tls
        with timed(Stage.CONNECT):
            async with deadlines.within(self._config.connect_timeout):
                connected, self.address = await addresses.connected(waiting)
        self.stage = Stage.TLS if is_encrypted else Stage.BANNER
        with timed(Stage.TLS) if is_encrypted else nullcontext():
            async with deadlines.within(self._config.connect_timeout):
                protocol = await self._protocol(connected, encrypted=is_encrypted)
        self.stage = Stage.BANNER
        try:
            with timed(Stage.BANNER):
                await self._read_greeting(protocol, self.address)
        except BaseException:
            protocol.abort()
            raise
        return protocol

    async def _protocol(self, connected: socket.socket, *, encrypted: bool) -> RelayProtocol:
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.create_connection(
                lambda: RelayProtocol(loop),
                sock=connected,
                ssl=self._opening.context if encrypted else None,
                server_hostname=self._config.tls_name if encrypted else None,
                ssl_handshake_timeout=deadlines.NEVER if encrypted else None,
            )
        except BaseException:
            connected.close()
            raise
        return protocol

    async def _read_greeting(self, protocol: RelayProtocol, address: Address) -> None:
        reading = asyncio.ensure_future(protocol.read_response(timeout=None))
        try:
            with suppress(TimeoutError):
                async with deadlines.within(self._config.connect_timeout):
                    await asyncio.wait({reading})
            if not reading.done():
                may_be_tls = not self._opening.implicit_tls and not self._config.is_local
                if may_be_tls and await self._speaks_tls(address):
                    raise TimeoutError("it waits for TLS")
                self._opening.known.does_not_greet(self._config.connect_timeout)
            async with deadlines.within(deadlines.GREETING):
                code, text = await reading
        finally:
            reading.cancel()
        if not is_expected(2, code):
            raise Rejected(Reply.of(code, self._opening.cleaned(text)))

    async def _speaks_tls(self, address: Address) -> bool:
        """Say whether the address shakes hands for TLS, whoever its certificate is for."""
        try:
            async with deadlines.within(self._config.connect_timeout):
                connected, _ = await addresses.connected([address])
                probe = await self._protocol(connected, encrypted=True)
        except ssl.SSLCertVerificationError:
            return True
        except OSError:
            return False
        probe.abort()
        return True
