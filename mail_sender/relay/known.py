"""What the connections to a relay have found out about it, for those that follow.

It lasts as long as the configuration: a restart or a change forgets it.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import structlog

from mail_sender.relay.addresses import Address
from mail_sender.relay.pipelining import Pipelining
from mail_sender.relay.relay_url import Security
from mail_sender.tls.certificate import Certificate
from mail_sender.verdict import Stage

_log = structlog.get_logger()

Discovered = Callable[[Security], None]
Spoken = Callable[[Stage, float], None]
"""Takes in that a step of a conversation has ended, well or not, and how many seconds it took."""


def unheard(_stage: Stage, _seconds: float) -> None:
    """Drop a step: nobody measures."""


class KnownRelay:
    """A relay, as far as it is known.

    `security` is how TLS starts on its port: configured, or found out by the first connection that comes through.
    `addresses` are those of its name, None where it is to be looked up. `address` greeted well last. `mechanism` is
    the login that works, in lower case. `mails_per_connection` is how many mails it takes on one connection, and
    `pipelining` whether it takes several commands at once. `certificate` is the one that it showed last.
    """

    def __init__(self, security: Security, discovered: Discovered, spoken: Spoken = unheard) -> None:
        self.security = security
        self.addresses: Sequence[Address] | None = None
        self.address: Address | None = None
        self.mechanism: str | None = None
        self.mails_per_connection: int | None = None
        self.pipelining = Pipelining()
        self.certificate: Certificate | None = None
        self._discovered = discovered
        self._spoken = spoken
        self._last_count: tuple[int, float] | None = None
        self._is_slow = False

    def timed(self, stage: Stage) -> AbstractContextManager[None]:
        """Measure a step of a conversation."""
        return _Timed(self._spoken, stage)

    def found_security(self, security: Security) -> None:
        """Keep how TLS starts where that was left open, and report it, once."""
        if self.security is Security.DISCOVER:
            self.security = security
            self._discovered(security)

    def greeted(self, address: Address | None) -> None:
        """Keep the address that greeted well."""
        self.address = address
        self._is_slow = False

    def does_not_greet(self, seconds: float) -> None:
        """Log that a connection stands, and nothing is said on it, once until the relay greets again."""
        if not self._is_slow:
            sentence = f"the relay took a connection and has not greeted within {seconds:g} s; it has five minutes"
            if self.security is Security.STARTTLS:
                sentence += "; if its port speaks TLS from the first byte, write smtps:// into mail_relay"
            _log.warning("relay_slow", message=sentence)
        self._is_slow = True

    def logged_in(self, mechanism: str, refused: list[str]) -> None:
        """Keep which login works, and log it where it was not the first choice, once."""
        if mechanism != self.mechanism and refused:
            sentence = f"the relay refuses {', '.join(refused).upper()}, and takes {mechanism.upper()}"
            _log.info("relay_login", mechanism=mechanism.upper(), message=sentence)
        self.mechanism = mechanism

    def connection_used_up(self, mails: int, opened_at: float, at: float, *, is_said: bool) -> None:
        """Take in that a connection took so many mails and no more, while a new one took the next mail.

        If the relay did not say that this is its limit, it may have been a coincidence the first time. Connections
        that were open at that time (monotonic) prove nothing then: the relay may have been restarted under all of
        them.
        """
        before, is_another = self._last_count, self._last_count is None or opened_at > self._last_count[1]
        if is_another:
            self._last_count = (mails, at)
        is_again = is_another and before is not None and before[0] == mails
        if (is_said or is_again) and mails != self.mails_per_connection:
            self.mails_per_connection = mails
            _log.info("relay_session_limit", mails=mails, message="the relay takes no more mails on one connection")


class _Timed(AbstractContextManager[None]):
    """Measures one step, well ended or not: five for each mail, so that a generator would be dear."""

    __slots__ = ("_began", "_spoken", "_stage")

    def __init__(self, spoken: Spoken, stage: Stage) -> None:
        self._spoken = spoken
        self._stage = stage

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._spoken(self._stage, time.monotonic() - self._began)
