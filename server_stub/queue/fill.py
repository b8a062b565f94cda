"""A long queue in a few seconds: test messages and credential resets to a made-up staff.

Everything is unsent and due, in the order in which it was queued; a message comes a millisecond after the one before
it, and the last of them just before now. The recipients depend only on the count; ids and links are random.
"""

from __future__ import annotations

import itertools

from server_stub import timestamps
from server_stub.queue import credential_reset
from server_stub.queue.entry import compose, test_message
from server_stub.queue.store import Store

BATCH = 1_000  # so short that a stub which runs meanwhile gets its turn
APART = timestamps.NANOS // 1_000
GIVEN = ("Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hiro", "Ines", "Kofi", "Leila")
FAMILY = ("Andersen", "Brandt", "Costa", "Diallo", "Eriksen", "Fischer", "Haddad", "Ito", "Kowalski")
DOMAINS = ("example.com", "mail.example.com", "example.org", "example.net")
LIFETIMES = (credential_reset.DEFAULT, 4 * 3_600, credential_reset.LONGEST)  # seconds
TEST_EVERY = 3  # one message in three is a test


def fill(store: Store, count: int, now: int) -> None:
    """Queue `count` messages; `now` in nanoseconds since 1970. Raises sqlite3.OperationalError for a locked queue.

    Each batch is a transaction: what a kill leaves behind is a shorter queue.
    """
    numbers = iter(range(count))
    while batch := list(itertools.islice(numbers, BATCH)):
        store.add(_message(number, now - (count - number) * APART) for number in batch)


def _message(number: int, queued_at: int) -> dict[str, object]:
    given = GIVEN[number % len(GIVEN)]
    family = FAMILY[number // len(GIVEN) % len(FAMILY)]
    address = f"{given}.{family}.{number}@{DOMAINS[number % len(DOMAINS)]}".lower()
    return compose(_template(f"{given} {family}", number, queued_at), address, queued_at)


def _template(name: str, number: int, queued_at: int) -> dict[str, object]:
    if number % TEST_EVERY == 0:
        return test_message(name)
    return credential_reset.template(name, LIFETIMES[number % len(LIFETIMES)], queued_at // timestamps.NANOS)
