"""The page shows the status and the last deliveries, escaped and masked; its chart is plain arithmetic."""

from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from mail_sender.ledger.base import Attempt, Entry
from mail_sender.ledger.states import State
from mail_sender.observe.page.chart import HEIGHT, WIDTH, chart
from mail_sender.observe.page.page import html, html_standing_by, when
from mail_sender.observe.status import FailingDomain
from tests.support.samples import DAY, HOUR, MINUTE, NOW, SECOND, delivery, message
from tests.support.statuses import status

HOSTILE = "<script>alert(1)</script> \"'><img src=x onerror=alert(1)>"


def entry(
    number: int = 1, state: State = State.SENT, reply: str = "2.0.0 ok", to: str = "ellie@example.com"
) -> Entry:
    """Return a delivery with one attempt."""
    line = Attempt(NOW - MINUTE, "dot", "accepted", 250, reply, 0.25)
    of = message(to, number=number)
    return Entry(number, delivery(of, state), NOW - HOUR, NOW - MINUTE, NOW, None, "4ABC", (line,))


class Elements(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in an element."""
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Take in text."""
        self.text += data


def test_a_sender_that_is_well_says_so_first() -> None:
    """Then its queue, and each delivery with its attempts."""
    shown = Elements(html(status(), [entry()])).text
    assert "Mail flows" in shown
    for said in ("e***@example.com", "sent", "accepted", "250 2.0.0 ok", "4ABC", "mail-sender queue show"):
        assert said in shown
    assert "ellie@" not in shown


def test_each_relay_has_its_facts() -> None:
    """And says whether mail goes through it, where there are several."""
    found = status()
    assert found.relay is not None
    assert "mail goes through it" not in html(found, [])
    second = replace(found.relay, place="second.example.net:465")
    first = replace(found.relay, carries=False, breaker="open")
    shown = " ".join(Elements(html(replace(found, relay=first, fallbacks=[second]), [])).text.split())
    assert "Relay addressrelay.example.com:465 (implicit) mail goes through itno circuit breakeropen" in shown
    assert "Fallback addresssecond.example.net:465 (implicit) mail goes through ityes circuit breakerclosed" in shown


def test_what_nobody_got_has_a_tile() -> None:
    """Also a link that expired before it could be mailed: whoever waits for it waits in vain."""
    tiles = [attributes.get("class") for tag, attributes in Elements(html(status(), [])).found if tag == "div"]
    for state in (State.QUEUED, State.HELD, State.FAILED, State.ABANDONED, State.EXPIRED, State.UNKNOWN):
        assert any(found and state.value in found.split() for found in tiles), state


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Mail is held up", html(status(ready=False, breaker="open", fault="auth"), [])),
        ("There is none yet", html(status(), [])),
        ("stands by", html_standing_by("another mail-sender uses the ledger", NOW)),
        ("The ledger cannot be read", html(replace(status(), queue=None, attempts=None), [])),
        ("Mail flows", html(replace(status(), server=None, relay=None, sender=None), [])),
    ],
)
def test_what_stands_in_the_way_is_told(said: str, shown: str) -> None:
    """With the cure, where one is known."""
    assert said in Elements(shown).text


def test_what_relays_and_queues_wrote_is_text_and_nothing_else() -> None:
    """No element, no attribute and no address comes of it."""
    plain = html(status(), [entry(reply="ok")])
    found = html(status(), [entry(reply=HOSTILE)])
    names = [[name for name, _ in Elements(page).found] for page in (plain, found)]
    assert names[0] == names[1]
    assert HOSTILE in Elements(found).text
    for name, attributes in Elements(found).found:
        assert not [one for one in attributes if one.startswith("on") or one == "style"], name
        assert not {"href", "src"} & attributes.keys() or name in {"link", "script"}


def test_no_text_of_others_anywhere_becomes_an_element() -> None:
    """Addresses, kinds, domains, the server's and the relay's names, and what is said of a fault."""
    plain = status(ready=False, breaker="open", fault="auth")
    fault = replace(plain.conditions[0], detail=HOSTILE, advice=HOSTILE, kind=HOSTILE)
    assert plain.server is not None
    assert plain.relay is not None
    hostile = replace(
        plain,
        conditions=[fault],
        server=replace(plain.server, uri=HOSTILE),
        relay=replace(plain.relay, place=HOSTILE),
        failing_domains=[FailingDomain(domain=HOSTILE, failed=1, deferred=0)],
    )
    harmless = replace(plain, failing_domains=[FailingDomain(domain="x", failed=1, deferred=0)])
    of = replace(entry(reply=HOSTILE), queue_id=HOSTILE)
    of = replace(of, delivery=replace(of.delivery, recipient=f"{HOSTILE}@{HOSTILE}", kind=HOSTILE))
    names = [[name for name, _ in Elements(page).found] for page in (html(harmless, [entry()]), html(hostile, [of]))]
    assert names[0] == names[1]
    assert Elements(html(hostile, [of])).text.count("<script>alert(1)</script>") >= 8


def test_the_chart_counts_each_attempt_once() -> None:
    """Its bars stand inside the picture, the latest to the right, and say their numbers."""
    hours: list[dict[str, int]] = [{}] * 22 + [
        {"accepted": 3, "refused": 1},
        {"deferred": 1, "throttled": 1, "relay_down": 6},
    ]
    found = chart(hours, NOW)
    assert found.totals == {"accepted": 3, "deferred": 8, "failed": 1}
    assert found.most == 8
    assert len(found.bars) == 24
    assert [part.series for bar in found.bars for part in bar.parts] == ["accepted", "failed", "deferred"]
    assert found.bars[-1].title.endswith("0 accepted, 8 deferred, 0 failed")
    assert found.bars[-1].parts[0].height == 2 * sum(part.height for part in found.bars[-2].parts)
    for bar in found.bars:
        assert 0 <= bar.x < bar.x + bar.width <= WIDTH
        assert all(0 < part.y < part.y + part.height <= HEIGHT for part in bar.parts)


def test_a_day_without_mail_has_an_empty_chart() -> None:
    """Nothing is divided by nothing."""
    assert chart([{}] * 24, NOW).most == 0
    assert chart([], NOW).bars == ()


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (timedelta(0), ", now"),
        (-30 * SECOND, ", 30 s ago"),
        (5 * MINUTE, ", in 5 min"),
        (-3 * HOUR, ", 3 h ago"),
        (30 * DAY, ", in 30 d"),
    ],
)
def test_times_are_told_both_ways(away: timedelta, said: str) -> None:
    """As a clock shows them, and as people say them; another day's have their date."""
    found = when(NOW + away, NOW)
    assert found.endswith(f"UTC{said}")
    assert found.startswith(f"{NOW + away:%Y-%m-%d}") == (abs(away) >= 12 * HOUR)
