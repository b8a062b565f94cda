"""The page for looking instead of reading: the queue on top, the mail that arrived below.

Plain HTML without scripts. Everything shown was written by somebody else and is escaped; the Content-Security-Policy
lets nothing in besides the page's own style sheet, so that a hostile mail can do nothing here.
"""

from __future__ import annotations

import email
import json
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from server_stub.mailbox import Mail, Mailbox
from server_stub.store import Store

SHOWN = 100
SECURITY = {
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
STYLE = """\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1, h2 { line-height: 1.2; }
h2 { margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
article { border: 1px solid #8886; border-radius: .5rem; padding: .25rem 1rem; margin: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
code, td:nth-child(5) { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
"""
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>server-stub: queue and mail</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<h1>server-stub</h1>
<p>What the identity server has queued, and what reached its relay. Reload to look again.</p>
<main>
<section aria-labelledby="queue"><h2 id="queue">Queue: {queue_total}</h2>{queue}</section>
<section aria-labelledby="mail"><h2 id="mail">Mail: {mail_total}</h2>{mail}</section>
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Web:
    """The page's handlers."""

    store: Store
    mailbox: Mailbox

    async def page(self, _: Request) -> Response:
        """Show the newest entries and mails."""
        bodies, queue_total = self.store.latest(SHOWN)
        mails, mail_total = self.mailbox.latest(SHOWN)
        page = PAGE.format(
            queue_total=_counted(queue_total),
            queue=_queue_table(bodies),
            mail_total=_counted(mail_total),
            mail="".join(_article(mail) for mail in mails) or "<p>No mail has arrived.</p>",
        )
        return HTMLResponse(page.encode("utf-8", "replace"), headers=SECURITY)

    async def style(self, _: Request) -> Response:
        """Send the style sheet."""
        return Response(STYLE, media_type="text/css", headers=SECURITY)


def application(web: Web) -> Starlette:
    """Return the page as an ASGI application."""
    return Starlette(routes=[Route("/", web.page), Route("/style.css", web.style)])


def _counted(total: int) -> str:
    return f"{total} (the newest {SHOWN} are shown)" if total > SHOWN else str(total)


def _queue_table(bodies: list[str]) -> str:
    if not bodies:
        return "<p>Nothing is queued.</p>"
    head = "".join(f"<th scope=col>{name}</th>" for name in ("State", "Template", "To", "Send after", "Id"))
    rows = "".join(_queue_row(json.loads(body)) for body in bodies)
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _queue_row(entry: object) -> str:
    # An entry may be anything that somebody queued by hand, a number even.
    attributes = entry if isinstance(entry, dict) else {}
    cells = (
        f"sent at {attributes['sent_at']}" if attributes.get("sent_at") else "queued",
        _template(attributes.get("message_template")),
        _addresses(attributes.get("mail_destination")),
        attributes.get("send_after", ""),
        attributes.get("id", ""),
    )
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _template(template: object) -> str:
    if not isinstance(template, dict):
        return "none"
    shown = (f"{kind} for {_display_name(content)}" for kind, content in template.items())
    return ", ".join(shown)


def _display_name(content: object) -> str:
    return str(content.get("display_name", "nobody")) if isinstance(content, dict) else "nobody"


def _addresses(destinations: object) -> str:
    items = destinations if isinstance(destinations, list) else []
    return ", ".join(str(item.get("value", "")) for item in items if isinstance(item, dict))


def _article(mail: Mail) -> str:
    message = email.message_from_bytes(mail.content, policy=default)
    facts = {
        "Envelope": f"from {mail.envelope.get('mail_from')} to {', '.join(map(str, _recipients(mail)))}",
        "Connection": f"{mail.envelope.get('listener')}, {mail.envelope.get('tls_version')}, "
        f"login {mail.envelope.get('login')}, EHLO {mail.envelope.get('ehlo')}",
        "Received": str(mail.envelope.get("received_at")),
    }
    headers = _definitions([*facts.items(), *_headers(message)])
    return f"<article><h3>{escape(mail.number)}</h3>{headers}<pre>{escape(_text(message))}</pre></article>"


def _recipients(mail: Mail) -> list[object]:
    recipients = mail.envelope.get("rcpt_to")
    return recipients if isinstance(recipients, list) else []


def _headers(message: EmailMessage) -> list[tuple[str, str]]:
    return [(name, _decoded(value)) for name, value in message.raw_items()]


def _decoded(value: object) -> str:
    # By hand, since a hostile header makes the structured parsers stumble.
    try:
        return str(make_header(decode_header(str(value))))
    except (HeaderParseError, LookupError, ValueError):
        return str(value)


def _definitions(pairs: list[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs) + "</dl>"


def _text(message: EmailMessage) -> str:
    try:
        part = message.get_body(("plain", "html"))
        return str(part.get_content()) if part else ""
    except (AttributeError, HeaderParseError, LookupError, TypeError, ValueError):
        return "(the text of this mail cannot be decoded)"
