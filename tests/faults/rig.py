"""The rig: one case's whole world, real but for its clock.

    rig.relay     the chaos relay: say how it treats each connection, read what it saw (rig_relay)
    rig.fallback  the second relay, if `await rig.stand_by()` has put one beside the first
    rig.api       the case's queue on the API double: faults, calls, marks (rig_api)
    rig.clock     runs a thousand times faster than the world (rig_clock)
    rig.wraps     what goes around ledger, source and transport before the sender starts (rig_place, rig_tap)
    rig.random    the case's own dice, the same for the same seed
    rig.dots      how often each delivery has come to its dot so far; None where nobody can know
    rig.log       what the sender has logged so far, at debug

    rig.mail(...)           queue a message; returns what was queued
    await rig.start()       assemble the real sender and let it run
    await rig.drained()     wait until all that was queued is final, and marked where it was sent
    await rig.stop()        stop it as a signal does;  await rig.crash()  as kill -9 does
    await rig.rows()        what the ledger holds

A case may leave the sender running or not, healthy or not: the campaign mends everything, lets it drain, and only
then looks (`evidence`).
"""

import asyncio
import contextlib
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Self
from uuid import UUID

from mail_sender.ledger.base import Entry, Key
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.states import FINAL, State
from mail_sender.relay.relay_url import Security
from mail_sender.sender.test_mail import Progress, TestMail
from tests.faults import rig_log, setting
from tests.faults.oracle import Evidence, Queued, RunOfTestMail
from tests.faults.rig_api import ApiServer
from tests.faults.rig_behaviour import HEALTHY
from tests.faults.rig_changes import Changes
from tests.faults.rig_clock import Epoch, FastClock
from tests.faults.rig_ledger import Home, InDatabase
from tests.faults.rig_place import MAIL, PASSWORD, USERNAME, Place, Sender, Wraps, assemble
from tests.faults.rig_proxy import Proxy
from tests.faults.rig_record import Heard, Mail
from tests.faults.rig_relay import ChaosRelay
from tests.faults.rig_tap import tapped
from tests.faults.rig_tls import Certificates
from tests.support import postgres

NAME = "MARKED display name"
INTENT = "MARKED-intent-id"
LINGER = 300.0
"""How long a drained sender is watched for a late copy: fast seconds, longer than any wait after a cut at the dot."""
DRAIN_SECONDS = 60.0
COMMIT_SECONDS = 0.5
"""How long (real seconds) after its reply a mail may still be unknown to the ledger, when the sender is killed."""


class NotDrained(Exception):
    """The sender did not come to an end with what was queued; the text says with what."""


class Rig:
    """A world for one case; an asynchronous context manager."""

    def __init__(self, home: Home, folder: Path, server: ApiServer, certificates: Certificates, seed: int) -> None:
        self.home = home
        self.cleanup = contextlib.AsyncExitStack()
        self.folder = folder
        self.random = Random(seed)
        self.certificates = certificates
        self.changes = Changes()
        self.clock = FastClock(Epoch())
        self.wraps = Wraps()
        self.queued: list[Queued] = []
        self.test_mails: list[RunOfTestMail] = []
        self.texts: dict[str, bytes] = {}
        self.aimed: set[UUID] = set()
        self.dots: Counter[Key] | None = Counter()
        self._server = server
        self.api = server.open_queue(self.clock, self.changes)
        self._setting = setting.current()
        self.relay = self._new_relay(implicit=True)
        self.place = Place(
            server.url,
            self.api.token,
            0,
            Security.IMPLICIT,
            certificates.ca,
            home.path,
            self.clock.epoch,
            connections=self._setting.connections,
            database=home.database,
        )
        self.fallback: ChaosRelay | None = None
        self.proxy: Proxy | None = None
        self._page: list[str] = []
        self._kills: list[datetime] = []
        self._sender: Sender | None = None
        self._running: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True)
        await self.home.begin()
        await self.listen(implicit=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.crash()
        if self.proxy is not None:
            await self.proxy.close()
        for relay in self._relays:
            await relay.down()
        self._server.close_queue(self.api)
        await self.home.end()
        await self.cleanup.aclose()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log(self) -> str:
        """What the sender has logged, at debug."""
        return "".join(self._page)

    def open_page(self) -> None:
        """Keep here what this task logs from now on, and those that it starts."""
        self._page = rig_log.new_page()

    async def listen(self, *, implicit: bool) -> None:
        """Have the relay speak TLS from the first octet, or by STARTTLS; the sender is told the same."""
        await self.relay.down()
        self.relay = self._new_relay(implicit=implicit)
        await self.relay.listen()
        security = Security.IMPLICIT if implicit else Security.STARTTLS
        self.place = replace(self.place, relay_port=self.relay.port, security=security)

    async def use_server_of_its_own(self) -> None:
        """Have the ledger lie on a server that no other case uses, until the end of this one."""
        assert isinstance(self.home, InDatabase)
        running = postgres.running(**postgres.FOR_MANY)
        server = await asyncio.to_thread(running.__enter__)
        self.cleanup.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)
        await self.home.end()
        self.home = await self.home.on(server)
        await self.home.begin()

    async def stand_by(self) -> ChaosRelay:
        """Put a second relay beside the first one, and return it; the sender is told of it."""
        self.fallback = self._new_relay(implicit=True)
        await self.fallback.listen()
        self.place = replace(self.place, fallback_port=self.fallback.port)
        return self.fallback

    def _new_relay(self, *, implicit: bool) -> ChaosRelay:
        pipelining = self._setting.pipelining
        return ChaosRelay(self.certificates.good, self.clock, self.changes, implicit=implicit, pipelining=pipelining)

    @property
    def _relays(self) -> list[ChaosRelay]:
        return [self.relay, *([self.fallback] if self.fallback else [])]

    def mail(self, *recipients: str, reset: bool = False, lives: timedelta = timedelta(hours=20)) -> Queued:
        """Queue a test message, or a credential reset, that is of use for so long in the clock's time."""
        number = len(self.queued) + 1
        recipients = recipients or (f"person-{number}@example.com",)
        ends = self.clock.now() + lives
        content: dict[str, object] = {"display_name": NAME}
        if reset:
            content |= {"intent_id": f"{INTENT}-{number}", "expiry_time": int(ends.timestamp())}
        id_ = self.api.add(
            {
                "mail_destination": [{"primary": True, "value": recipient} for recipient in recipients],
                "message_template": {"CredentialResetV1" if reset else "TestMessageV1": content},
                "send_after": _instant(datetime.now(UTC) - timedelta(minutes=10) + timedelta(seconds=number)),
                "delete_after": _instant(ends if not reset else ends + timedelta(days=7)),
            }
        )
        self.queued.append(Queued(id_, recipients, ends))
        return self.queued[-1]

    async def start(self) -> None:
        """Assemble the sender and let it run; nothing happens where it runs already."""
        if self._running is not None:
            return
        await self.open()
        assert self._sender is not None
        self._stop = asyncio.Event()
        self._running = asyncio.create_task(self._sender.worker.run(self._stop))
        self._running.add_done_callback(lambda _: self.changes.ring())

    async def open(self) -> None:
        """Assemble the sender without letting it run."""
        if self._sender is None:
            watched = replace(
                self.wraps, ledger=lambda ledger: self.wraps.ledger(tapped(ledger, self._note_dot, self._ring))
            )
            place = replace(self.place, database=self.home.for_next_sender(self.place.database))
            self._sender = await assemble(place, watched, self.clock)

    async def stop(self) -> None:
        """Stop the sender as SIGTERM does, and close its parts."""
        running, self._running = self._running, None
        self._stop.set()
        if running is not None:
            await running
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.close()

    async def crash(self) -> None:
        """End the sender as kill -9 does: what it wrote stays, what it would still write does not."""
        sender, self._sender = self._sender, None
        running, self._running = self._running, None
        if sender is None:
            return
        # Nothing is awaited up to the freezing: what the sender has not said or written by now, it never will.
        self._set_deaf(True)
        for relay in self._relays:
            relay.sever()
        self.killed()
        put_back = self.home.freeze()
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        with contextlib.suppress(Exception):  # nobody is there any more to hear of it
            await sender.close()
        put_back()
        self._set_deaf(False)

    def _set_deaf(self, deaf: bool) -> None:
        self.api.deaf = deaf
        for relay in self._relays:
            relay.deaf = deaf

    def killed(self) -> None:
        """Note that the sender was killed at this moment: what the relay has just said, it may not have written."""
        self._kills.append(self.clock.now())

    @property
    def ledger(self) -> SqliteLedger | PostgresLedger:
        """The running sender's ledger, as an operator's command reaches it."""
        assert self._sender is not None
        return self._sender.ledger

    def wake(self) -> None:
        """Do what a sender does after an operator's command."""
        assert self._sender is not None
        self._sender.worker.wake()

    async def rows(self) -> Sequence[Entry]:
        """Return what the ledger holds, oldest first; it is opened for that where no sender has it open."""
        found = await self.home.rows(None if self._sender is None else self._sender.ledger)
        return found[::-1]

    async def state(self, queued: Queued) -> State:
        """Return the state of a message's first delivery; queued where the ledger has not heard of it."""
        found = [row.delivery for row in await self.rows() if row.delivery.message == queued.id]
        return found[0].state if found else State.QUEUED

    def ledger_files(self) -> Sequence[Path]:
        """Return the ledger's file and those beside it (-wal, -shm), as far as they are there."""
        return sorted(self.folder.glob("ledger.db*"))

    def mend(self) -> None:
        """Take all faults away: from here on relay and API are in order."""
        for relay in self._relays:
            relay.behave = lambda _: HEALTHY
        self.api.mend()

    async def drained(self, seconds: float = DRAIN_SECONDS) -> None:
        """Wait until all deliveries are final and the server knows of what was sent.

        Raises `NotDrained` after so many real seconds, and what the sender raised if it ended.
        """
        done = await self.changes.until_seen(self._is_drained, seconds)
        if self._running is not None and self._running.done():
            self._running.result()
        if not done:
            rows = [f"{row.delivery.recipient} {row.delivery.state}" for row in await self.rows()]
            raise NotDrained(f"not drained after {seconds:.0f} s: {', '.join(rows) or 'the ledger is empty'}")

    async def linger(self) -> None:
        """Watch on for a while, in which nothing more may be sent."""
        await self.clock.wait(asyncio.Event(), LINGER)

    async def evidence(self, *, exactly_once: bool) -> Evidence:
        """Return what relay, API, ledger and files say now."""
        rows = tuple(await self.rows())
        self.texts |= await self.home.texts()
        self.texts["log"] = self.log.encode()
        return Evidence(
            queued=tuple(self.queued),
            connections=tuple(one for relay in self._relays for one in relay.connections),
            mails=tuple(mail for relay in self._relays for mail in self._mails(relay)),
            calls=tuple(self.api.calls),
            sent_at={queued.id: self.api.sent_at(queued.id) for queued in self.queued},
            rows=rows,
            texts=dict(self.texts),
            secrets=(self.api.token, self.api.token.rpartition(".")[2], PASSWORD, INTENT, NAME),
            login=(USERNAME, PASSWORD),
            aimed=frozenset(self.aimed),
            test_mails=tuple(self.test_mails),
            exactly_once=exactly_once,
            of_fallback=tuple(self.fallback.mails) if self.fallback else (),
            dots=None if self.dots is None else dict(self.dots),
            side_by_side=self.place.connections,
        )

    async def test_mail(self) -> None:
        """Send a test mail as `-t` does, and keep its exit code beside what the relay says."""
        before = len(self.relay.mails)
        sender = await assemble(replace(self.place, ledger=None, database=None), clock=self.clock)
        result = await TestMail(sender.source, sender.transport, MAIL, self.clock).send(
            "operator@example.com", Progress()
        )
        await sender.ledger.close()
        mails = self.relay.mails[before:]
        self.test_mails.append(
            RunOfTestMail(int(result.exit_code), bool(mails), mails[0].heard if mails else Heard.NO)
        )

    def _mails(self, relay: ChaosRelay) -> tuple[Mail, ...]:
        """Return a relay's mails; where a proxy cut or a kill came, the reply may have been for nothing."""
        return tuple(
            replace(mail, heard=Heard.PERHAPS) if mail.heard is Heard.YES and self._is_doubtful(mail) else mail
            for mail in relay.mails
        )

    def _is_doubtful(self, mail: Mail) -> bool:
        ports = self.proxy.cut_ports if self.proxy else set()
        if any(one.number == mail.connection and one.port in ports for one in self.relay.connections):
            return True
        late = mail.at + timedelta(seconds=COMMIT_SECONDS * self.clock.epoch.speed)
        return any(mail.at <= kill <= late for kill in self._kills)

    async def _is_drained(self) -> bool:
        if self._running is not None and self._running.done():
            return True
        rows = await self.rows()
        known = {(row.delivery.message, row.delivery.recipient) for row in rows}
        all_there = known >= {(queued.id, one) for queued in self.queued for one in queued.recipients}
        return all_there and all(self._is_over(row, rows) for row in rows)

    def _is_over(self, row: Entry, rows: Sequence[Entry]) -> bool:
        sent = any(
            other.delivery.state is State.SENT for other in rows if other.delivery.message == row.delivery.message
        )
        return row.delivery.state in FINAL and (row.marked_at is not None or not sent)

    async def _note_dot(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "dot" and self.dots is not None:
            self.dots[arguments[0].key] += 1

    async def _ring(self, _name: str, _arguments: tuple[object, ...]) -> None:
        self.changes.ring()


def secrets_in(text: str) -> list[str]:
    """Return the marked secrets of all cases that a text holds."""
    return [secret for secret in (PASSWORD, INTENT, NAME) if secret in text]


def _instant(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
