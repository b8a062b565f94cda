"""The tally: how SQLite makes the summary of a ledger.

Each question but one is answered from an index, and nothing is read of attempts that are older than a day: with
100,000 deliveries that takes a few milliseconds. The kinds need both tables, which takes ten times as long. So they
are counted again only if something was written since (`PRAGMA data_version`, and this connection's own count).
"""

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta

from mail_sender.ledger import rows, summary
from mail_sender.ledger.sqlite_faults import Unreadable
from mail_sender.ledger.states import FINAL, OPEN, State
from mail_sender.ledger.summary import ATTEMPTS, HOUR, HOURS, MOST_DOMAINS, QUEUED_AGAIN, Failing, Summary

_ABOUT_THE_DOMAIN = ("refused", "deferred", "uncertain", "accepted")


class Tally:
    """Counts the deliveries of one ledger."""

    def __init__(self) -> None:
        self._of: tuple[sqlite3.Connection, int, int] | None = None
        self._kinds: Mapping[str, Mapping[State, int]] = {}

    def summary(self, db: sqlite3.Connection, now: datetime) -> Summary:
        """Return the summary, of one state of the file if a transaction is open. Raises `Unreadable`."""
        db.execute("SELECT 1 FROM delivery").fetchone()  # the transaction's state is fixed by its first reading
        of = db, db.execute("PRAGMA data_version").fetchone()[0], db.total_changes
        if of != self._of:
            self._kinds, self._of = _kinds(db), of
        return Summary(
            now,
            summary.by_state(self._kinds),
            self._kinds,
            _unmarked(db, now),
            _oldest_waiting_at(db),
            _held_since(db),
            _last_accepted_at(db),
            _hours(db, now),
            _failing(db, now),
        )


def _kinds(db: sqlite3.Connection) -> dict[str, dict[State, int]]:
    of = "FROM delivery JOIN message ON message.number = message"
    try:
        return summary.by_kind(db.execute(f"SELECT kind, state, count(*) {of} GROUP BY 1, 2"))
    except ValueError:
        raise Unreadable("a row is damaged") from None


def _unmarked(db: sqlite3.Connection, now: datetime) -> int:
    # The plus keeps SQLite from choosing the index of delete_after: the one of what is unmarked is nearly empty.
    select = "SELECT count(*) FROM message WHERE complete_at IS NOT NULL AND marked_at IS NULL AND +delete_after > ?"
    return int(db.execute(select, (rows.micros(now),)).fetchone()[0])


def _oldest_waiting_at(db: sqlite3.Connection) -> datetime | None:
    again = f"SELECT delivery, max(at) AS since FROM attempt WHERE verdict IN {rows.listed(QUEUED_AGAIN)} GROUP BY 1"
    select = (
        f"SELECT min(ifnull(since, send_after)) FROM delivery LEFT JOIN ({again}) ON delivery = number "
        f"WHERE state IN {rows.listed(OPEN)}"
    )
    return _time(db.execute(select, (*QUEUED_AGAIN, *OPEN)).fetchone()[0])


def _held_since(db: sqlite3.Connection) -> datetime | None:
    return _time(db.execute("SELECT min(changed_at) FROM delivery WHERE state = 'held'").fetchone()[0])


def _last_accepted_at(db: sqlite3.Connection) -> datetime | None:
    return _time(db.execute("SELECT max(at) FROM attempt WHERE verdict = 'accepted'").fetchone()[0])


def _hours(db: sqlite3.Connection, now: datetime) -> tuple[Mapping[str, int], ...]:
    end, hour = rows.micros(now), HOUR // timedelta(microseconds=1)
    select = (
        f"SELECT (? - at) / ?, verdict, count(*) FROM attempt WHERE verdict IN {rows.listed(ATTEMPTS)} "
        "AND at > ? AND at <= ? GROUP BY 1, 2"
    )
    return summary.by_hour(db.execute(select, (end, hour, *ATTEMPTS, end - HOURS * hour, end)))


def _failing(db: sqlite3.Connection, now: datetime) -> tuple[Failing, ...]:
    met = (
        "SELECT delivery FROM attempt WHERE verdict IN ('refused', 'deferred', 'uncertain') AND at > ? "
        "AND stage != 'render'"
    )
    last = (
        "SELECT verdict FROM attempt WHERE delivery = d.number "
        f"AND verdict IN {rows.listed(_ABOUT_THE_DOMAIN)} ORDER BY number DESC LIMIT 1"
    )
    # rtrim leaves what stands up to the last @: a quoted local part may hold one, too.
    domain = "lower(substr(recipient, 1 + length(rtrim(recipient, replace(recipient, '@', '')))))"
    select = (
        f"SELECT {domain}, sum(state IN {rows.listed(FINAL)}) AS failed, count(*) AS all_of_it FROM delivery d "
        f"WHERE number IN ({met}) AND state NOT IN ('sent', 'withdrawn') "
        f"AND (copy = 0 OR ({last}) != 'accepted') "
        "GROUP BY 1 ORDER BY all_of_it DESC, failed DESC, 1 LIMIT ?"
    )
    values = (*FINAL, rows.micros(now - HOURS * HOUR), *_ABOUT_THE_DOMAIN, MOST_DOMAINS)
    return summary.by_domain(db.execute(select, values))


def _time(count: int | None) -> datetime | None:
    return None if count is None else rows.time(count)
