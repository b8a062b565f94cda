"""The relays that stand in for the first one: each is examined as the first one is, one after the other."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from mail_sender.doctor.finding import Finding
from mail_sender.doctor.relay import relay
from mail_sender.doctor.subject import Subject


async def fallbacks(subject: Subject) -> AsyncGenerator[Finding, None]:
    """Yield what is found of each of `[[relay.fallback]]`."""
    reading = replace(subject.reading, faulty=frozenset())  # the faults of the first relay's keys are not theirs
    for number, config in enumerate(subject.fallbacks, 1):
        async for finding in relay(replace(subject, relay=config, reading=reading)):
            yield replace(finding, seen=f"fallback {number} ({config.place}): {finding.seen}")
