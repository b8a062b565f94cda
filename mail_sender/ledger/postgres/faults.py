"""What PostgreSQL, the network and libpq report, as a `LedgerFault` with what happened and what to do.

A fault names the place of the database and never quotes a value: what the server says of a row may hold an address,
and what libpq says of a URL may hold a password. Whoever connects is told more: there the words are about the
connection, and the password is known and left out.
"""

import re

import psycopg

from mail_sender.errors import LedgerFault

CUT = "cut"
"""The kind of a fault that a broken connection is."""

_GOES_ON = "mail then goes on by itself"
_BUSY = "look for long transactions in pg_stat_activity; mail goes on by itself"
_RIGHTS = "create a schema of its own for it: CREATE SCHEMA mail_sender AUTHORIZATION (its role)"
_PRIMARY = f"name the primary, or add target_session_attrs=read-write to the url: {_GOES_ON}"

_WORDS = {
    "23505": ("busy", "another replica was faster several times", "nothing: it is tried again"),
    "25006": ("read_only", "the database is read-only, or a standby", _PRIMARY),
    "28000": (
        "not_let_in",
        "the server does not let this role in from here",
        "allow it in pg_hba.conf of the server",
    ),
    "28P01": ("wrong_password", "the server refuses the password", f"correct the role's password: {_GOES_ON}"),
    "3D000": ("no_database", "there is no database of that name", f"create it, or correct the url: {_GOES_ON}"),
    "3F000": ("gone", "the ledger's schema is gone", "restore it, or restart mail-sender, which makes a new one"),
    "40001": ("busy", "other transactions were in the way several times", _BUSY),
    "40P01": ("busy", "other transactions were in the way several times", _BUSY),
    "42501": ("not_allowed", "the role may not do that in the ledger's schema", _RIGHTS),
    "42P01": ("gone", "a table of the ledger is gone", "restore it from a backup"),
    "42703": ("gone", "a column of the ledger is gone", "restore the ledger from a backup"),
    "53100": ("disk_full", "the server's disk is full", f"give the database some space: {_GOES_ON}"),
    "53200": ("out_of_memory", "the server is out of memory", f"give the database more memory: {_GOES_ON}"),
    "53300": (
        "too_many",
        "the server takes no more connections",
        "raise max_connections, or put PgBouncer before it",
    ),
    "55P03": ("busy", "another transaction holds what was to be written", _BUSY),
    "57014": ("timeout", "a statement took too long", _BUSY),
    "57P01": (CUT, "the server ended the connection", f"nothing, if it restarts: {_GOES_ON}"),
    "57P02": (CUT, "the server crashed", f"read the server's log; {_GOES_ON}"),
    "57P03": ("starting", "the server starts, stops or recovers", f"wait until it is up: {_GOES_ON}"),
    "57P05": (CUT, "the server ended an idle connection", f"nothing: {_GOES_ON}"),
    "58030": ("disk", "the server cannot read or write its disk", "check the server's disk"),
    "XX001": ("damaged", "the ledger is damaged", "restore it from a backup"),
    "XX002": ("damaged", "an index of the ledger is damaged", "REINDEX it, or restore the ledger from a backup"),
}
_CLASSES = {
    "08": (CUT, "the connection to the server broke", f"check server and network: {_GOES_ON}"),
    "25": ("in_the_way", "a transaction was not taken as one", "let PgBouncer pool by transaction or session"),
    "28": _WORDS["28000"],
    "53": ("no_resources", "the server has not enough resources", f"read the server's log; {_GOES_ON}"),
    "57": (CUT, "the server ended the transaction", f"nothing, if it restarts: {_GOES_ON}"),
    "58": _WORDS["58030"],
}
_CUT = (CUT, "the connection to the server broke", f"check server and network: {_GOES_ON}")
_CERTIFICATE = "name its CA: [ledger] ca_path, or sslrootcert in the url"
# libpq has no codes for these, and the server none that libpq hands on from a login.
_ON_CONNECTING = (
    ("password authentication failed|no password supplied|SASL authentication failed", *_WORDS["28P01"]),
    ('database ".*" does not exist', *_WORDS["3D000"]),
    ('role ".*" does not exist', "no_role", "there is no role of that name", f"create it, or correct it: {_GOES_ON}"),
    ("no pg_hba.conf entry|authentication failed|pg_hba.conf rejects", *_WORDS["28000"]),
    ("too many clients|too many connections|remaining connection slots", *_WORDS["53300"]),
    ("starting up|shutting down|recovery mode|not yet accepting", *_WORDS["57P03"]),
    ("session is read-only|session is not read-only|in hot standby", *_WORDS["25006"]),
    ("certificate verify failed|does not match host name", "tls", "its certificate is not trusted", _CERTIFICATE),
    ("does not support SSL", "tls", "it offers no TLS", "switch ssl on at the server, or say sslmode=disable"),
    ("root certificate file", "tls", "the CA's file cannot be read", "check [ledger] ca_path and sslrootcert"),
    ("timeout expired|timed out", "timeout", "it does not answer", f"check server and network: {_GOES_ON}"),
    ("could not translate|resolve|Name or service", "no_host", "its host's name is not known", "correct the url"),
)
_UNREACHABLE = ("unreachable", "it cannot be reached", f"start it, or correct the url: {_GOES_ON}")

TRIED_AGAIN = frozenset({"23505", "40001", "40P01"})
"""What another transaction causes, which is undone whole: it may work when it is tried again."""


def of(error: psycopg.Error, place: str) -> LedgerFault:
    """Return what a transaction met."""
    state = error.sqlstate or ""
    found = _WORDS.get(state) or _CLASSES.get(state[:2])
    if found is None and not state and isinstance(error, psycopg.OperationalError):
        found = _CUT
    if found is None:
        said = f"it reports {state or 'no code'} ({type(error).__name__})"
        found = ("refused", said, "read the server's log, and report this")
    kind, detail, advice = found
    return LedgerFault(kind, f"{place}: {detail}", advice)


def on_connecting(error: BaseException, place: str, secret: str | None) -> LedgerFault:
    """Return why there is no connection, with what was said of it; `secret` is the password."""
    said = _said(str(error), secret)
    for pattern, kind, detail, advice in _ON_CONNECTING:
        if re.search(pattern, said, re.IGNORECASE):
            return LedgerFault(kind, f"{place}: {detail}", advice)
    kind, detail, advice = _UNREACHABLE
    return LedgerFault(kind, f"{place}: {detail} ({said})" if said else f"{place}: {detail}", advice)


def timed_out(place: str) -> LedgerFault:
    """Return the fault of a database that takes a connection and does not answer."""
    detail = f"{place}: it does not answer"
    return LedgerFault("timeout", detail, f"check server and network: {_GOES_ON}")


def late(place: str) -> LedgerFault:
    """Return the fault of a dot that was written, and answered so late that it must not go out any more."""
    return LedgerFault("late", f"{place}: it answers too slowly", _BUSY)


_LONGEST = 160


def _said(text: str, secret: str | None) -> str:
    line = next((line for line in text.splitlines() if line.strip()), "")
    if secret:
        line = line.replace(secret, "***")
    line = re.sub(r"^.*failed: ", "", line)
    line = re.sub(r"^(FATAL|ERROR):\s*", "", line)
    return "".join(char for char in line if char.isprintable()).strip()[:_LONGEST]
