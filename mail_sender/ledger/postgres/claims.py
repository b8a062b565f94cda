"""Claims and their leases: what one replica works on, and no other.

1. A claim is a row in the state processing with a number, the replica that has it, and a lease on the database's
   clock. Whose row another transaction holds is passed over (SKIP LOCKED). No second claim is given for a mailbox.
2. Each beat (`replicas`) prolongs all leases of a replica at once, every `BEAT`. What another transaction holds is
   passed over: that transaction ends it, or the next beat prolongs it.
3. The dot is written only where claim, replica and lease stand, and the lease for `MARGIN` more: all of that is in
   the one row that is locked, so that it is looked at as it is when the lock is had, and never as it was.
4. A lease that ran out, or that a clock wrote which ran ahead, may be taken over. `moves` looks at it again, and
   gives the claim another number. It is left alone until whoever asks has been seen by the database for as long as a
   lease without a gap: after an outage of the database all leases have run out, and those who live prolong theirs
   first.
"""

from collections.abc import Sequence
from uuid import UUID

from mail_sender.ledger import rows
from mail_sender.ledger.base import Delivery, Imprint
from mail_sender.ledger.postgres.statement import Statement, asked

LEASE = 15.0
"""Seconds for which a claim is good without a beat."""
BEAT = 3.0
"""Seconds between two beats."""
MARGIN = 5.0
"""Seconds that a lease must still have when the dot is written: within them the dot goes out, or never."""
GAP = 2 * BEAT
"""Seconds without a beat after which a replica counts as one that was away."""

NOW = "clock_timestamp()"
_SECONDS = {"lease": LEASE, "margin": MARGIN, "gap": GAP}


def _later(name: str) -> str:
    return f"{NOW} + make_interval(secs => %({name})s)"


def _earlier(name: str) -> str:
    return f"{NOW} - make_interval(secs => %({name})s)"


def is_seen() -> str:
    """Return the condition that a row of `replica` is of one that lives."""
    return f"seen_at > {NOW} - make_interval(secs => {LEASE})"


IS_OVER = f"(d.lease_until <= {NOW} OR d.lease_until > {_later('lease')})"
LASTS = f"d.lease_until > {_later('margin')} AND d.lease_until <= {_later('lease')}"

_BEGIN = f"""
    WITH free AS (
        SELECT asked.n, d.number, d.mailbox
        FROM {asked(n="int", message="uuid", recipient="text", claim="bigint")}
        JOIN message m ON m.id = asked.message
        JOIN delivery d ON d.message = m.number AND d.recipient = asked.recipient
        WHERE d.claim = asked.claim AND d.state = 'queued' AND NOT EXISTS (
            SELECT FROM delivery other WHERE other.mailbox = d.mailbox AND other.state = 'processing'
        )
        FOR NO KEY UPDATE OF d SKIP LOCKED
    ), chosen AS (
        SELECT DISTINCT ON (mailbox) n, number FROM free ORDER BY mailbox, n
    )
    UPDATE delivery d
    SET state = 'processing', claim = d.claim + 1, replica = %(replica)s, lease_until = {_later("lease")},
        taken_from = NULL
    FROM chosen WHERE d.number = chosen.number AND d.state = 'queued'
    RETURNING chosen.n
    """
_IMPRINT = asked(
    n="int", message="uuid", recipient="text", claim="bigint", message_id="text", date="bigint", digest="text",
    relay="text",
)  # fmt: skip
DOT = f"""
    UPDATE delivery d
    SET dot = true, message_id = asked.message_id, date = asked.date, digest = asked.digest, relay = asked.relay
    FROM {_IMPRINT} JOIN message m ON m.id = asked.message
    WHERE d.message = m.number AND d.recipient = asked.recipient
        AND d.state = 'processing' AND d.claim = asked.claim AND d.replica = %(replica)s AND {LASTS}
    RETURNING asked.n
    """
_PROLONG = f"""
    UPDATE delivery SET lease_until = {_later("lease")} WHERE number IN (
        SELECT number FROM delivery WHERE state = 'processing' AND replica = %(replica)s
        FOR NO KEY UPDATE SKIP LOCKED
    ) AND replica = %(replica)s
    """
_RELEASE = "UPDATE delivery SET lease_until = '-infinity' WHERE state = 'processing' AND replica = %(replica)s"
INTERRUPTED = (
    f"d.state = 'processing' AND (d.replica = %(replica)s OR d.lease_until = '-infinity' OR {IS_OVER} AND EXISTS ("
    f"SELECT FROM replica WHERE id = %(replica)s AND seen_at > {_earlier('gap')} AND since <= {_earlier('lease')}))"
)
"""Which deliveries nobody works on; what this replica works on itself is for the caller to leave out."""


def values(replica: UUID) -> dict[str, object]:
    """Return what statements about leases bind."""
    return {**_SECONDS, "replica": replica}


def begin(deliveries: Sequence[tuple[int, Delivery]], replica: UUID) -> Statement:
    """Claim deliveries, each with a number in this batch; the numbers of those that are claimed are returned."""
    return Statement(_BEGIN, {**values(replica), **keys(deliveries)})


def dot(dots: Sequence[tuple[int, Delivery, Imprint]], replica: UUID) -> Statement:
    """Write that dots may be out from here on; the numbers of those that may go out are returned."""
    imprints = [imprint for *_, imprint in dots]
    written = {
        "message_id": [imprint.message_id for imprint in imprints],
        "date": [rows.micros(imprint.date) for imprint in imprints],
        "digest": [imprint.digest for imprint in imprints],
        "relay": [imprint.relay for imprint in imprints],
    }
    return Statement(DOT, {**values(replica), **keys([(n, delivery) for n, delivery, _ in dots]), **written})


def keys(deliveries: Sequence[tuple[int, Delivery]]) -> dict[str, list[object]]:
    """Return what names deliveries and their claims, as columns."""
    return {
        "n": [n for n, _ in deliveries],
        "message": [delivery.message for _, delivery in deliveries],
        "recipient": [delivery.recipient for _, delivery in deliveries],
        "claim": [delivery.claim for _, delivery in deliveries],
    }


def prolong(replica: UUID) -> Statement:
    """Prolong all leases of a replica."""
    return Statement(_PROLONG, values(replica))


def release(replica: UUID) -> Statement:
    """Give back what a replica has claimed and did not settle: another one may take it over at once."""
    return Statement(_RELEASE, {"replica": replica})
