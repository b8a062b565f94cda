"""Plan: what one round does, decided before anything is done.

A pure function of (messages, deliveries, now, limit). What has been due longest goes first, and among those the
oldest message, so that two messages to one address go in their order, and retries by the thousand do not keep a new
message waiting. A message past its deadline is expired, not mailed: a dead link
helps nobody. A message of an unknown kind is held. Whatever is final, or not due yet, makes no step.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from mail_sender.ledger.base import Delivery
from mail_sender.ledger.states import State
from mail_sender.message import Message, UnknownContent

LINK_MARGIN = timedelta(seconds=60)
"""A link must live that much longer than its mail takes to be read."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Mail this message to this recipient."""

    message: Message
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Expire:
    """Give this delivery up: its time has run out."""

    message: Message
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Hold:
    """Set this delivery aside: nobody knows how to make its mail."""

    message: Message
    delivery: Delivery


Step = Attempt | Expire | Hold


def plan(
    messages: Iterable[Message], deliveries: Mapping[UUID, tuple[Delivery, ...]], now: datetime, limit: int
) -> list[Step]:
    """Return the round's steps, at most `limit`."""
    steps = (
        step
        for message in messages
        for delivery in deliveries.get(message.id, ())
        for step in _steps(message, delivery, now)
    )
    return heapq.nsmallest(limit, steps, key=lambda step: (step.delivery.next_attempt, step.message.send_after))


def _steps(message: Message, delivery: Delivery, now: datetime) -> Iterator[Step]:
    if delivery.state not in {State.QUEUED, State.HELD}:
        return
    if now + LINK_MARGIN >= message.deadline:
        yield Expire(message, delivery)
    elif delivery.state is State.QUEUED and delivery.next_attempt <= now:
        known = not isinstance(message.content, UnknownContent)
        yield Attempt(message, delivery) if known else Hold(message, delivery)
