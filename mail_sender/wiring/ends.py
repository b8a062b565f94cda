"""The two ends of the flow: a source and the relays, made of a configuration and of the files that it names.

A file may have been good when the configuration was checked, and be gone when it is used. At the start that ends the
program; later the previous configuration stays in use.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import structlog

from mail_sender.clock import Clock, SteadyClock
from mail_sender.condition import Condition
from mail_sender.config.config import Config
from mail_sender.config.watch import Watch
from mail_sender.errors import Exit, MailSenderError
from mail_sender.relay import digest
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.folder import FolderTransport
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.relay_url import Security
from mail_sender.relay.transport import Transport
from mail_sender.sender.observation import Observe, Spoken, unobserved
from mail_sender.sender.relay_gate import RelayGate
from mail_sender.sender.relays import Relay, Relays
from mail_sender.sender.test_mail import TestMail
from mail_sender.source.base import Source
from mail_sender.source.dry_run import DryRunSource
from mail_sender.source.kanidm import KanidmSource
from mail_sender.tls.pem import BadPem

_log = structlog.get_logger()


class UnusableFile(MailSenderError):
    """A certificate file that was good when the configuration was read cannot be used any more."""

    exit_code = Exit.BAD_CONFIG


@dataclass(frozen=True, slots=True)
class Ends:
    """A configuration, and what is made of it and of its files: a source, and a transport for each relay."""

    config: Config
    source: Source
    transports: tuple[Transport, ...]

    @classmethod
    def of(cls, config: Config, observe: Observe = unobserved) -> Self:
        """Make all of them. Raises `UnusableFile`."""
        return cls(config, _source(config), tuple(_transport(relay, observe) for relay in config.relays))

    def relays(self, condition: Condition) -> Relays:
        """Return the relays; the first one's condition outlives this configuration."""
        first, *others = self.transports
        found = [Relay(self.config.relay.place, first, condition, gate=self._gate(self.config.relay))]
        for fallback, transport in zip(self.config.fallbacks, others, strict=True):
            place, gate = fallback.relay.place, self._gate(fallback.relay)
            found.append(Relay(place, transport, Condition("fallback", place=place), fallback.after, gate))
        return Relays(found)

    def _gate(self, relay: RelayConfig | FolderConfig) -> RelayGate:
        if isinstance(relay, FolderConfig) or self.config.ledger.kind != "postgresql":
            return RelayGate(relay.connections)
        return RelayGate(relay.connections, digest.of(relay, self.config.source.token))

    @classmethod
    async def next(cls, watch: Watch, clock: Clock, observe: Observe) -> Self:
        """Make those of the next usable configuration, as soon as there is one."""
        while True:
            config = await watch.next_config(clock)
            try:
                return cls.of(config, observe)
            except UnusableFile as error:
                watch.reject(str(error))


def test_mail(config: Config, number: int) -> TestMail:
    """Return what a test mail needs; it goes through the first relay, or through the fallback with this number."""
    source, transport = _source(config), _transport(config.relays[number], unobserved)
    return TestMail(source, transport, config.mail, SteadyClock())


def _source(config: Config) -> Source:
    with _files_in_words():
        return (DryRunSource if isinstance(config.relay, FolderConfig) else KanidmSource)(config.source)


def _transport(relay: RelayConfig | FolderConfig, observe: Observe) -> Transport:
    if isinstance(relay, FolderConfig):
        return FolderTransport(relay.path)
    with _files_in_words():
        return SmtpTransport(relay, _discovered, lambda stage, seconds: observe(Spoken(stage, seconds)))


@contextmanager
def _files_in_words() -> Iterator[None]:
    try:
        yield
    except BadPem as error:
        raise UnusableFile(f"a certificate file of the configuration {error}; correct it, or put it back") from None
    except OSError as error:
        what = f"{error.filename}: {(error.strerror or 'it cannot be read').lower()}"
        raise UnusableFile(f"a certificate file of the configuration, {what}; correct it, or put it back") from None


def _discovered(security: Security) -> None:
    _log.info("relay_security", found=security.value, message="found out on the first connection")
