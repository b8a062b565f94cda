"""The page of a running sender in a real browser: it refreshes itself, keeps what is unfolded, and fits any screen."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from structlog.testing import capture_logs

from mail_sender.clock import SteadyClock
from mail_sender.ledger.base import Attempt, Entry
from mail_sender.ledger.states import State
from mail_sender.observe.config import ObserveConfig
from mail_sender.observe.listener import Listener
from mail_sender.observe.place import TcpPlace
from mail_sender.observe.status import AttemptsStatus, FailingDomain, Status
from mail_sender.observe.watched import Watched
from mail_sender.web import kept
from tests.support.pictures import keep_picture
from tests.support.samples import HOUR, MINUTE, NOW, SECOND, delivery, message
from tests.support.statuses import replicas, status

pytestmark = pytest.mark.debian("chromium-headless-shell", "fonts-dejavu-core")

BUSY = AttemptsStatus(
    last_hour={},
    last_day={},
    by_hour=[{"accepted": hour * 7 % 23, "deferred": hour % 4, "refused": hour % 11 == 5} for hour in range(24)],
)


def entry(number: int, state: State) -> Entry:
    """Return a delivery with two attempts."""
    later = Attempt(NOW - MINUTE, "dot", "accepted", 250, "2.0.0 Ok: queued as 4ABC", 0.31, "4ABC")
    first = Attempt(NOW - 3 * MINUTE, "rcpt", "deferred", 450, "4.2.0 greylisted, try again in 5 minutes", 0.12)
    of = delivery(message(f"person{number}@example.com", number=number), state)
    return Entry(number, of, NOW - HOUR, NOW - number * MINUTE, None, None, "4ABC", (first, later))


@dataclass
class Sender:
    """What the page is made of."""

    origin: str
    status: Status = field(default_factory=status)
    deliveries: list[Entry] = field(default_factory=list)

    async def answer(self) -> Status:
        """Return the status as it is now."""
        return self.status

    async def last(self) -> list[Entry]:
        """Return the last deliveries."""
        return self.deliveries


@pytest_asyncio.fixture(loop_scope="session")
async def sender(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sender]:
    """Serve the page of a sender that does not exist, from a listener that does; its minutes take no time."""
    monkeypatch.setattr(kept, "SECONDS", 0.0)
    with capture_logs() as log:
        listener, found = Listener(SteadyClock()), Sender("")
        listener.watched = Watched(list, found.answer, found.last)
        await listener.follow(ObserveConfig(TcpPlace("127.0.0.1", 0)))
        found.origin = f"http://{log[-1]['at']}"
        found.status = replace(found.status, attempts=BUSY)
        found.deliveries = [entry(number, state) for number, state in enumerate(State, 1)]
        yield found
        listener.close()


@pytest.fixture
def origin(sender: Sender) -> str:
    """Let the page talk to the listener alone."""
    return sender.origin


async def test_the_page_follows_the_sender(page: Page, sender: Sender) -> None:
    """A fault comes and goes without a reload; what was unfolded stays; the browser complains of nothing."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.clock.install()
    await page.goto("/")
    await expect(page.get_by_role("heading", name="Mail flows")).to_be_visible()
    await page.locator("#d3 summary").click()
    await expect(page.locator("#d3").get_by_text("greylisted")).to_be_visible()
    await keep_picture(page, "status")

    failing = [FailingDomain(domain="slow.example", failed=2, deferred=3)]
    down = status(ready=False, breaker="open", fault="auth")
    sender.status = replace(down, attempts=BUSY, failing_domains=failing)
    await page.clock.run_for(6_000)
    await expect(page.get_by_role("heading", name="Mail is held up")).to_be_visible()
    await expect(page.get_by_role("region", name="Conditions")).to_contain_text("correct mail_password")
    await expect(page.locator("#d3").get_by_text("greylisted")).to_be_visible()
    await expect(page).to_have_title("mail is held up - mail-sender")
    await keep_picture(page, "status-held-up")
    assert complaints == []


async def test_a_sender_that_is_gone_is_said(page: Page, sender: Sender) -> None:
    """What stands there stays, and is called not fresh."""
    await page.clock.install()
    await page.goto("/")
    await page.context.set_offline(True)
    await page.clock.run_for(6_000)
    await expect(page.get_by_role("alert")).to_contain_text("not fresh")
    await page.context.set_offline(False)
    await page.clock.run_for(6_000)
    await expect(page.get_by_role("alert")).to_be_hidden()


HOSTS = [f"mail-sender-7f9c8d5b6c-x2xz{number}" for number in range(9)]


@pytest.mark.parametrize(("width", "colours"), [(360, "dark"), (1280, "dark"), (360, "light")])
async def test_the_page_fits_the_screen(page: Page, sender: Sender, width: int, colours: str) -> None:
    """Nothing has to be scrolled sideways for, and each word can be said from what is behind it."""
    *rest, last = replicas(*HOSTS, answers=1)
    sender.status = replace(
        status(ready=False, breaker="open", fault="auth"),
        attempts=BUSY,
        replicas=[*rest, replace(last, carries=False, seen_at=NOW - 12 * SECOND)],
    )
    await page.set_viewport_size({"width": width, "height": 800})
    await page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
    await page.goto("/")
    await page.locator("#d1 summary").click()
    rows = page.get_by_role("region", name="Senders").locator("tbody tr")
    await expect(rows).to_have_count(len(HOSTS))
    await expect(rows.nth(0)).to_contain_text("delivers, polls")
    await expect(rows.nth(1)).to_contain_text("delivers, made this page")
    await expect(rows.last).to_contain_text("cannot mail, seen 12 s ago")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await keep_picture(page, f"status-{width}-{colours}")


@pytest.mark.asyncio(loop_scope="session")
async def test_the_page_works_without_javascript(browser: Browser, sender: Sender) -> None:
    """It asks for itself again, and deliveries unfold."""
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(sender.origin)
    await expect(page.get_by_role("heading", name="Mail flows")).to_be_visible()
    assert '<meta http-equiv="refresh"' in await page.content()
    await page.locator("#d2 summary").click()
    await expect(page.locator("#d2").get_by_text("greylisted")).to_be_visible()
    await context.close()
