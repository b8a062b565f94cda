"""The tally: how PostgreSQL makes the summary of a ledger, all of it from one snapshot and in one round trip."""

from collections.abc import Sequence
from datetime import datetime

from mail_sender.ledger import rows
from mail_sender.ledger.postgres.statement import Rows, Statement, words
from mail_sender.ledger.states import FINAL, OPEN
from mail_sender.ledger.summary import (
    ATTEMPTS,
    HOUR,
    HOURS,
    MOST_DOMAINS,
    QUEUED_AGAIN,
    Summary,
    by_domain,
    by_hour,
    by_kind,
    by_state,
)

_HOUR = HOUR // rows.MICROSECOND
_KINDS = "SELECT m.kind, d.state, count(*) FROM delivery d JOIN message m ON m.number = d.message GROUP BY 1, 2"
_UNMARKED = (
    "SELECT count(*) FROM message WHERE complete_at IS NOT NULL AND marked_at IS NULL AND delete_after > %(now)s"
)
_OLDEST = f"""
    SELECT min(coalesce((
        SELECT max(at) FROM attempt WHERE delivery = d.number AND verdict = ANY(%(again)s::text[])
    ), send_after)) FROM delivery d WHERE state IN {words(OPEN)}
    """
_HELD = "SELECT min(changed_at) FROM delivery WHERE state = 'held'"
_LAST = "SELECT max(at) FROM attempt WHERE verdict = 'accepted'"
_HOURS = """
    SELECT (%(now)s - at) / %(hour)s, verdict, count(*) FROM attempt
    WHERE verdict = ANY(%(attempts)s::text[]) AND at > %(since)s AND at <= %(now)s GROUP BY 1, 2
    """
_FAILING = f"""
    SELECT lower(substring(recipient FROM '[^@]*$')) AS domain, count(*) FILTER (WHERE state IN {words(FINAL)}),
        count(*)
    FROM delivery d
    WHERE number IN (
        SELECT delivery FROM attempt
        WHERE verdict IN ('refused', 'deferred', 'uncertain') AND at > %(since)s AND stage <> 'render'
    ) AND state NOT IN ('sent', 'withdrawn') AND (copy = 0 OR 'accepted' IS DISTINCT FROM (
        SELECT verdict FROM attempt
        WHERE delivery = d.number AND verdict IN ('refused', 'deferred', 'uncertain', 'accepted')
        ORDER BY number DESC LIMIT 1
    ))
    GROUP BY 1 ORDER BY 3 DESC, 2 DESC, 1 LIMIT %(most)s
    """


def statements(now: datetime) -> list[Statement]:
    """Return the questions."""
    end = rows.micros(now)
    values = {
        "now": end,
        "since": end - HOURS * _HOUR,
        "hour": _HOUR,
        "again": list(QUEUED_AGAIN),
        "attempts": list(ATTEMPTS),
        "most": MOST_DOMAINS,
    }
    return [Statement(text, values) for text in (_KINDS, _UNMARKED, _OLDEST, _HELD, _LAST, _HOURS, _FAILING)]


def summary(found: Sequence[Rows], now: datetime) -> Summary:
    """Return the summary that the answers make."""
    of_kinds, ((unmarked,),), ((oldest,),), ((held,),), ((last,),), of_hours, failing = found
    kinds, hours, domains = by_kind(of_kinds), by_hour(of_hours), by_domain(failing)
    first, since, latest = (None if at is None else rows.time(at) for at in (oldest, held, last))
    return Summary(now, by_state(kinds), kinds, unmarked, first, since, latest, hours, domains)
