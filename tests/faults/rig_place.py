"""Where the product's parts find each other, as plain data, and the parts made of it as the wiring makes them.

A `Place` survives the way into another process (`to_json`, `from_json`), so that a case can have the sender killed
there while relay and API stay here, and both clocks show the same time.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from mail_sender.clock import Clock
from mail_sender.condition import Condition, Conditions
from mail_sender.ledger.base import Ledger
from mail_sender.ledger.postgres import target
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.mail.config import MailConfig
from mail_sender.names.secret import Secret
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.relay_url import Security
from mail_sender.relay.transport import Transport
from mail_sender.sender.config import ReputationConfig, RetryConfig, SenderConfig
from mail_sender.sender.limits import Limits
from mail_sender.sender.parts import Parts
from mail_sender.sender.relay_gate import RelayGate
from mail_sender.sender.relays import Relay, Relays
from mail_sender.sender.schedule import Schedule
from mail_sender.sender.warm_up import WarmUp
from mail_sender.sender.worker import Worker
from mail_sender.source.base import Source
from mail_sender.source.config import SourceConfig
from mail_sender.source.kanidm import KanidmSource
from mail_sender.templating.template_set import TemplateSet
from tests.faults.rig_clock import Epoch, FastClock
from tests.support.memory_allowances import MemoryAllowances

MAIL = MailConfig("Example Identity", "https://idm.example.com", "idm@example.com", "support@example.com")
USERNAME = "mail-sender"
PASSWORD = "MARKED-password-that-no-file-may-hold"


AFTER_SECONDS = 30.0
"""Seconds, in the clock's time, for which the first relay must be down before the second one carries its mail."""


@dataclass(frozen=True)
class Place:
    """All that a sender has to know: URL and token of the API, the relay, the CA, the ledger's file, the time.

    `connect_timeout` is in real seconds, `poll` a schedule in the clock's time. With `per_minute`, the sender keeps to
    limits: this one, and a warm-up that allows more. With a `fallback_port`, a second relay stands there. To each relay go
    at most so many `connections`. `templates` is a folder of the operator's own. With a `database`, by libpq's parameters, the
    ledger lies there.
    """

    api: str
    token: str
    relay_port: int
    security: Security
    ca: Path
    ledger: Path | None
    epoch: Epoch
    connect_timeout: float = 10.0
    poll: str = "0 */10 * * * *"
    message_retries: int = 5
    max_age: timedelta = timedelta(days=1)
    per_minute: int | None = None
    fallback_port: int | None = None
    connections: int = 4
    templates: Path | None = None
    database: str | None = None

    def to_json(self) -> str:
        """Return the place as text."""
        return json.dumps(asdict(self), default=_plain)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the place that `to_json` wrote."""
        values = json.loads(text)
        epoch = values.pop("epoch")
        return cls(
            **values
            | {
                "security": Security(values["security"]),
                "ca": Path(values["ca"]),
                "ledger": Path(values["ledger"]) if values["ledger"] else None,
                "templates": Path(values["templates"]) if values["templates"] else None,
                "epoch": Epoch(epoch["origin"], datetime.fromisoformat(epoch["start"]), epoch["speed"]),
                "max_age": timedelta(seconds=values["max_age"]),
            }
        )


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _same_ledger(part: Ledger) -> Ledger:
    return part


def _same_source(part: Source) -> Source:
    return part


def _same_transport(part: Transport) -> Transport:
    return part


@dataclass
class Wraps:
    """What a case puts around the parts: a tap, a saboteur; by itself nothing."""

    ledger: Callable[[Ledger], Ledger] = field(default=_same_ledger)
    source: Callable[[Source], Source] = field(default=_same_source)
    transport: Callable[[Transport], Transport] = field(default=_same_transport)


@dataclass(frozen=True)
class Sender:
    """The assembled product; `ledger` is the bare one, for those who look at it."""

    worker: Worker
    ledger: SqliteLedger | PostgresLedger
    source: KanidmSource
    transport: SmtpTransport
    relays: Relays

    async def close(self) -> None:
        """Close the parts, as the wiring does."""
        await self.relays.close()
        await self.source.close()
        await self.ledger.close()


async def assemble(place: Place, wraps: Wraps | None = None, clock: Clock | None = None) -> Sender:
    """Return the real parts, put together. Raises `LedgerTrouble`."""
    wraps, clock = wraps or Wraps(), clock or FastClock(place.epoch)
    ledger = await _ledger(place, clock)
    source = KanidmSource(SourceConfig(place.api, Secret(place.token), connect_timeout=place.connect_timeout))
    transport, conditions = SmtpTransport(_relay(place), lambda _: None), Conditions()
    relays = Relays(
        [
            Relay(
                f"localhost:{place.relay_port}",
                wraps.transport(transport),
                conditions.relay,
                gate=RelayGate(place.connections),
            ),
            *_fallbacks(place),
        ]
    )
    parts = Parts(wraps.source(source), wraps.ledger(ledger), relays, conditions=conditions)
    retry = RetryConfig(place.message_retries, place.max_age)
    config = SenderConfig(Schedule(place.poll), retry, reputation=_reputation(place))
    worker = Worker(parts, config, _mail(place), clock)
    return Sender(worker, ledger, source, transport, relays)


async def _ledger(place: Place, clock: Clock) -> SqliteLedger | PostgresLedger:
    if place.database is None:
        return await SqliteLedger.open(place.ledger)
    ledger = await PostgresLedger.open(target.of(place.database, environment={}))
    ledger.allowances = MemoryAllowances(lambda: clock.now().timestamp())  # the database's minutes are real ones
    return ledger


def _mail(place: Place) -> MailConfig:
    if place.templates is None:
        return MAIL
    return replace(MAIL, appearance=replace(MAIL.appearance, templates=TemplateSet.load(place.templates)))


def _fallbacks(place: Place) -> Iterator[Relay]:
    if place.fallback_port is not None:
        config = replace(_relay(place), port=place.fallback_port)
        transport = SmtpTransport(config, lambda _: None)
        condition, gate = Condition("fallback", place=config.place), RelayGate(place.connections)
        yield Relay(config.place, transport, condition, after=AFTER_SECONDS, gate=gate)


def _reputation(place: Place) -> ReputationConfig:
    if place.per_minute is None:
        return ReputationConfig()
    return ReputationConfig(Limits(place.per_minute, warm_up=WarmUp(1_000, 1.0, 9), relay="localhost"))


def _relay(place: Place) -> RelayConfig:
    return RelayConfig(
        host="localhost",
        port=place.relay_port,
        security=place.security,
        local_name="client.example",
        username=USERNAME,
        password=Secret(PASSWORD),
        connect_timeout=place.connect_timeout,
        ca_path=place.ca,
        connections=place.connections,
    )
