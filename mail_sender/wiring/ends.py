"""The two ends of the flow: a source and a transport, made of a configuration and of the files that it names.

A file may have been good when the configuration was checked, and be gone when it is used. At the start that ends the
program; later the previous configuration stays in use.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import structlog

from mail_sender.clock import Clock, SteadyClock
from mail_sender.config.config import Config
from mail_sender.config.watch import Watch
from mail_sender.errors import Exit, MailSenderError
from mail_sender.relay.config import FolderConfig
from mail_sender.relay.folder import FolderTransport
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.relay_url import Security
from mail_sender.relay.transport import Transport
from mail_sender.sender.observation import Observe, Spoken, unobserved
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
    """A configuration, and the source and the transport that are made of it and of the files that it names."""

    config: Config
    source: Source
    transport: Transport

    @classmethod
    def of(cls, config: Config, observe: Observe = unobserved) -> Self:
        """Make both. Raises `UnusableFile`."""
        return cls(config, _source(config), _transport(config, observe))

    @classmethod
    async def next(cls, watch: Watch, clock: Clock, observe: Observe) -> Self:
        """Make those of the next usable configuration, as soon as there is one."""
        while True:
            config = await watch.next_config(clock)
            try:
                return cls.of(config, observe)
            except UnusableFile as error:
                watch.reject(str(error))


def test_mail(config: Config) -> TestMail:
    """Return what a test mail needs."""
    ends = Ends.of(config)
    return TestMail(ends.source, ends.transport, config.mail, SteadyClock())


def _source(config: Config) -> Source:
    with _files_in_words():
        return (DryRunSource if isinstance(config.relay, FolderConfig) else KanidmSource)(config.source)


def _transport(config: Config, observe: Observe) -> Transport:
    if isinstance(config.relay, FolderConfig):
        return FolderTransport(config.relay.path)
    with _files_in_words():
        return SmtpTransport(config.relay, _discovered, lambda stage, seconds: observe(Spoken(stage, seconds)))


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
