"""The page shows queue and mail, and nothing that it shows can do anything."""

from __future__ import annotations

import re
import ssl

import httpx

from tests.stub.test_relay import connected, password
from tests.support.stub import Stub

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"


def page(stub: Stub) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{stub.ports['web']}/", trust_env=False, timeout=10)


def deliver(stub: Stub, trust: ssl.SSLContext, mail: bytes) -> None:
    with connected(stub, "smtps", trust) as client:
        client.login("mail-sender", password(stub))
        client.sendmail("idm@example.com", ["ellie@example.com"], mail)


def test_an_empty_page_says_so(stub: Stub) -> None:
    """No table without rows."""
    assert "Nothing is queued." in page(stub).text
    assert "No mail has arrived." in page(stub).text


def test_hostile_words_are_shown_not_obeyed(stub: Stub, trust: ssl.SSLContext) -> None:
    """Names, kinds, addresses, headers and texts are escaped; the page's tags are its own."""
    entry = {
        "message_template": {HOSTILE: {"display_name": HOSTILE}},
        "mail_destination": [{"value": HOSTILE}],
        "send_after": HOSTILE,
        "sent_at": HOSTILE,
        "id": HOSTILE,
        "raw": True,
    }
    stub.queue([entry])
    mail = f"Subject: {HOSTILE}\r\nX-{HOSTILE[:8]}: 1\r\nContent-Type: text/html\r\n\r\n{HOSTILE}\r\n"
    deliver(stub, trust, mail.encode())
    text = page(stub).text
    assert text.count("&lt;script&gt;alert(1)") >= 7
    own = {"html", "head", "meta", "title", "link", "body", "h1", "h2", "h3", "p", "main", "section", "div", "table",
           "thead", "tbody", "tr", "th", "td", "article", "dl", "dt", "dd", "pre"}  # fmt: skip
    assert set(re.findall(r"<([a-z][a-z0-9]*)", text)) <= own
    assert not re.search(r"<[^>]*\son\w+=", text)


def test_the_page_may_load_nothing_but_its_style(stub: Stub) -> None:
    """A strict policy: no script, no frame, no picture, no form, and no foreign address."""
    answer = page(stub)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert re.findall(r'(?:href|src)="([^"]*)"', answer.text) == ["/style.css"]
    style = httpx.get(f"http://127.0.0.1:{stub.ports['web']}/style.css", trust_env=False)
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text


BROKEN = (
    b"",
    b"\r\n",
    b"Subject: =?utf-8?q?caf=C3=A9?=\r\nContent-Type: text/plain; charset=nowhere\r\n\r\nx\r\n",
    b"Content-Type: multipart/mixed\r\n\r\nx\r\n",
    b"Content-Type: ;;;\r\nTo: <<<@>>>,,;\r\nDate: \xff\xfe\r\n\r\n\xff\xfe\r\n",
    b"Subject: =?utf-8?b?!!!?=\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
    b"Content-Type: text/plain; charset*=x''%ff; name*0*=y\r\nContent-Disposition: [\r\n\r\nx\r\n",
)


def test_a_broken_mail_does_not_break_the_page(stub: Stub, trust: ssl.SSLContext) -> None:
    """Whatever bytes the relay took, the page answers."""
    stub.queue([42, None, {"raw": True, "message_template": 1, "mail_destination": [1]}])
    for number, mail in enumerate(BROKEN, 1):
        deliver(stub, trust, mail)
        answer = page(stub)
        assert answer.status_code == 200, mail
        assert f"Mail: {number}<" in answer.text


def test_a_mail_is_shown_with_what_the_wire_knew(stub: Stub, trust: ssl.SSLContext) -> None:
    """Decoded headers and text, envelope, TLS version, login and EHLO name."""
    deliver(stub, trust, b"Subject: =?utf-8?q?caf=C3=A9?=\r\n\r\nGood day\r\n")
    text = page(stub).text
    for word in ("café", "Good day", "from idm@example.com to ellie@example.com", "TLSv1", "login mail-sender"):
        assert word in text
