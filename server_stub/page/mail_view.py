"""A mail as the page shows it: a row of the list, and what the reading pane's tabs hold."""

from __future__ import annotations

from functools import lru_cache

from server_stub.page.mail_parts import Parts, parse
from server_stub.relay.mailbox import Mail

PEEKED = 64 * 1024  # bytes that are read of a mail for its row
READ = 4 * 1024 * 1024  # bytes that are read of a mail to show it
SHOWN = 256 * 1024  # characters that a tab shows of a long text

# Rows are made anew at each change, of the same mails but for a few.
_peeked = lru_cache(maxsize=400)(parse)


def row(mail: Mail) -> dict[str, object]:
    """Return what the list shows, of a mail of which `PEEKED` bytes were read."""
    return _row(mail, _peeked(mail.content))


def reading(mail: Mail) -> dict[str, object]:
    """Return what the tabs show, of a mail of which `READ` bytes were read; the HTML itself is served apart."""
    parts = parse(mail.content)
    return {
        **_row(mail, parts),
        "date": parts.header("date"),
        "html": parts.html is not None,
        "text": None if parts.text is None else _shortened(parts.text, len(parts.text)),
        "source": _shortened(mail.content[:SHOWN].decode(errors="replace"), mail.size),
        "headers": [(name, value[:SHOWN]) for name, value in parts.headers],
        "facts": _facts(mail),
    }


def _row(mail: Mail, parts: Parts) -> dict[str, object]:
    return {
        "key": mail.number,
        "subject": parts.header("subject")[:500],
        "from": parts.header("from")[:500],
        "to": parts.header("to")[:500],
        "received": mail.envelope.get("received_at"),
        "entry": parts.entry,
    }


def _shortened(text: str, length: int) -> dict[str, object]:
    return {"text": text[:SHOWN], "shown": min(len(text), SHOWN), "length": length}


def _facts(mail: Mail) -> list[tuple[str, str]]:
    said = mail.envelope
    recipients = said.get("rcpt_to")
    return [
        ("Received", _said(said.get("received_at"))),
        ("Listener", _said(said.get("listener"))),
        ("TLS", _said(said.get("tls_version"))),
        ("Client certificate", str(said.get("client_certificate") or "none shown")),
        ("Login", _said(said.get("login"))),
        ("EHLO", _said(said.get("ehlo"))),
        ("Envelope from", _said(said.get("mail_from"))),
        ("Envelope to", ", ".join(map(str, recipients)) if isinstance(recipients, list) else _said(None)),
        ("Size", f"{mail.size} bytes"),
        ("File", f"mail/{mail.number}.eml"),
    ]


def _said(value: object) -> str:
    return str(value) if value else "not known"
