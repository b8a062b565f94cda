"""What `mail-sender ledger copy` prints: a bar on a terminal, one line in the end, and what to change."""

import asyncio
import json
from pathlib import Path

from mail_sender import log
from mail_sender.cli import ledger_words, progress
from mail_sender.cli.ledger_words import Place
from mail_sender.cli.terminal import Form, print_line
from mail_sender.errors import LedgerFault, UsageError
from mail_sender.ledger.copying import copy
from mail_sender.ledger.copying.copy import Copied, Show
from mail_sender.ledger.copying.open import ledgers
from mail_sender.ledger.copying.side import Interrupted

VERSION = 1
"""The version of the JSON: a new field does not change it."""

_HOW = {"copied": "copied", "resumed": "copied, from where the last copy had stopped", "same": "was copied before"}
_NOUNS = {
    "message": ("message", "messages"),
    "delivery": ("delivery", "deliveries"),
    "attempt": ("line of history", "lines of history"),
    "beginning": ("beginning of a warm-up", "beginnings of a warm-up"),
}


def print_copy(from_: str, to: str, files: tuple[Path, Path], form: Form) -> None:
    """Copy a ledger, and print what came of it. Raises `MailSenderError`."""
    log.configure(debug=False, form="text")
    source, target = (ledger_words.place(words, files) for words in (from_, to))
    if source.is_database == target.is_database:
        advice = (
            "pg_dump and pg_restore copy a database" if source.is_database else "docs/backup.md says how to copy it"
        )
        kind = "databases" if source.is_database else "files"
        raise UsageError(f"FROM and TO are both {kind}: one of them has to be the other kind; {advice}")
    for place in (source, target):
        if place.warning:
            print_line(f"warning: {place.warning}", err=True)
    copied, places = _copied(source, target)
    if form == "json":
        print_line(json.dumps(_object(copied, places, target)))
        return
    counts = {name: count for name, count in copied.counts.items() if count or name in {"message", "delivery"}}
    numbers = [f"{count:,} {_NOUNS[name][count != 1]}" for name, count in counts.items()]
    print_line(f"{_HOW[copied.how]}: {', '.join(numbers[:-1])} and {numbers[-1]}")
    print_line(f"read again and compared: both ledgers are the same (sha256 {copied.digest})")
    print_line(f"from  {places[0]}\nto    {places[1]}\n\n{target.advice}")
    print_line(
        "Start no sender on the old ledger any more: it does not know what is sent from here on, and would mail it "
        "again. Remove it when the new one has worked for a week."
    )


def _copied(source: Place, target: Place) -> tuple[Copied, tuple[str, str]]:
    try:
        if not progress.on_a_terminal():
            return asyncio.run(_copy(source, target, lambda *_: None))
        with progress.progress("copied") as show:
            return asyncio.run(_copy(source, target, show))
    except LedgerFault as fault:
        raise Interrupted(fault) from None
    except (KeyboardInterrupt, SystemExit):
        print_line("stopped; start the same copy again: it goes on", err=True)
        raise


async def _copy(source: Place, target: Place, show: Show) -> tuple[Copied, tuple[str, str]]:
    async with ledgers(source.ledger, target.ledger) as (old, new):
        return await copy.copy(old, new, show), (old.place, new.place)


def _object(copied: Copied, places: tuple[str, str], target: Place) -> dict[str, object]:
    return {
        "version": VERSION,
        "how": copied.how,
        "from": places[0],
        "to": places[1],
        "rows": dict(copied.counts),
        "written": copied.written,
        "sha256": copied.digest,
        "configuration": target.toml,
    }
