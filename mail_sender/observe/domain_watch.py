"""The daily look at what DNS says of the From domain and the EHLO name, by the checks of `mail-sender doctor`.

SPF, DKIM and DMARC are what mailboxes believe a mail by, and they change without the sender: somebody edits a zone.
What is wrong is logged once when it begins and once when it is over, and stands in the status meanwhile; no mail
waits for it. The checks run in a process of their own: what they need would stay in the sender's memory, used once a
day.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from mail_sender.clock import Clock
from mail_sender.doctor.config import DoctorConfig
from mail_sender.doctor.finding import Level, Topic
from mail_sender.mail.config import MailConfig
from mail_sender.names import address, special_use
from mail_sender.observe.advisories import Advisories
from mail_sender.relay.config import FolderConfig, RelayConfig

FIRST_AFTER = 3.0
"""Seconds from the start, or from a change of the configuration, to the first look: mail comes first."""
EVERY = 86_400.0
"""Seconds between two looks."""
SECONDS = 90.0
"""How long a look may take."""
_MOST = 1_000_000
"""Bytes of its report."""

TOPICS = (Topic.DOMAIN, Topic.EHLO_NAME)
"""What is looked at: what DNS says of who sends."""

_log = structlog.get_logger()
_Found = tuple[str, str, str]


def command(
    files: Sequence[Path], mail: MailConfig, relay: RelayConfig | FolderConfig, doctor: DoctorConfig
) -> list[str] | None:
    """Return the command that looks at the domains of a configuration; None if there is nothing to look up.

    `files` begins with the client config and the mail-sender config.
    """
    domains = map(address.domain, (mail.from_address, mail.reply_to_address))
    has_any = bool(doctor.nameservers) or any(map(special_use.is_public, domains))
    if not (doctor.daily and has_any and sys.executable) or isinstance(relay, FolderConfig):
        return None
    client, sender = files[:2]
    topics = [word for topic in TOPICS for word in ("--only", topic.name.lower())]
    named = ["-c", str(client), "-m", str(sender)]
    return [sys.executable, "-m", "mail_sender", *named, "doctor", "-o", "json", *topics]


class DomainWatch:
    """Looks, for as long as the process lives."""

    def __init__(self, advisories: Advisories, clock: Clock) -> None:
        self._advisories = advisories
        self._clock = clock
        self._known: dict[str, str] = {}
        self._looking: asyncio.Task[None] | None = None

    async def follow(self, command: Sequence[str] | None) -> None:
        """Look by this command from now on; None: there is nothing to look up."""
        await self.close()
        if command is None:
            self._take_in([])
        else:
            self._looking = asyncio.ensure_future(self._run(command))

    async def close(self) -> None:
        """Look no more, and end what looks; closing twice does no harm."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
            self._looking = None

    async def _run(self, command: Sequence[str]) -> None:
        wait = FIRST_AFTER
        while True:
            await self._clock.wait(asyncio.Event(), wait)
            report = await _report_of(command)
            if report is not None and (found := _found(report)) is not None:
                self._take_in(found)
            wait = EVERY

    def _take_in(self, found: list[_Found]) -> None:
        now = {check: f"{seen}; {advice}" for check, seen, advice in found}
        for check in self._known.keys() - now.keys():
            _log.info("domain_up", kind=check)
        for check, message in now.items():
            if self._known.get(check) != message:
                _log.warning("domain_down", kind=check, message=f"{message}; mail goes out meanwhile")
        self._known = now
        self._advisories.examined(found)


async def _report_of(command: Sequence[str]) -> bytes | None:
    """Run a command to its end, and return what it prints; None if it cannot be run or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        _log.debug("domain_not_examined", message=error.strerror)
        return None
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        async with asyncio.timeout(SECONDS):
            report = await process.stdout.read(_MOST)
            while await process.stdout.read(_MOST):
                pass
            await process.wait()
            return report
    except TimeoutError:
        _log.debug("domain_not_examined", message=f"it took longer than {SECONDS:g} s")
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _found(report: bytes) -> list[_Found] | None:
    """Return what is wrong, by the JSON of `mail-sender doctor` (docs/doctor.md).

    None if no resolver answered, or nothing could be examined, as while a file of the configuration is being written.
    """
    try:
        findings = json.loads(report)["findings"]
        wrong = [one for one in findings if one["level"] in {Level.WARNING, Level.FAULT}]
        is_examined = any(one["level"] != Level.SKIPPED for one in findings)
        if not is_examined or any(one["check"] == "resolver" for one in wrong):
            return None
        return [(one["check"], one["seen"], one["advice"] or "") for one in wrong]
    except (ValueError, KeyError, TypeError):
        return None
