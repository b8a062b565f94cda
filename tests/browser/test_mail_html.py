"""The HTML part of each mail in a real browser: readable, and harmless whatever a display name holds."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from uuid import UUID

import pytest
from playwright.async_api import Page

from mail_sender.mail.config import MailConfig
from mail_sender.mail.render import render
from mail_sender.message import Content, CredentialReset, IntentId, Message, TestMessage

pytestmark = pytest.mark.debian("chromium", "fonts-dejavu-core")

NOW = datetime(2026, 11, 21, 13, 10, tzinfo=UTC)
CONFIG = MailConfig("Example Identity", "https://idm.example.com", "idm@example.com", "support@example.com")
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><h1>Mallory</h1>"


def html(content: Content) -> str:
    message = Message(UUID(int=1), NOW, NOW + timedelta(days=7), ("ellie@example.com",), content)
    mail = render(message, "ellie@example.com", CONFIG, NOW)
    part = message_from_bytes(mail.content, policy=default).get_body(("html",))
    assert part is not None
    return str(part.get_content())


async def test_the_reset_button_and_the_link_in_full_lead_to_the_same_page(page: Page) -> None:
    """A person who does not trust buttons can read where the link goes; both go there."""
    reset = CredentialReset("Ellie", IntentId("aaaaa-bbbbb"), NOW + timedelta(minutes=55))
    await page.set_content(html(reset))
    link = "https://idm.example.com/ui/reset?token=aaaaa-bbbbb"
    for name in ("Reset credentials", link):
        anchor = page.get_by_role("link", name=name, exact=True)
        assert await anchor.get_attribute("href") == link
        assert await anchor.is_visible()
    assert await page.get_by_text("in 55 minutes").is_visible()


@pytest.mark.parametrize("kind", ["test", "reset"])
async def test_a_hostile_display_name_makes_no_element_and_runs_nothing(page: Page, kind: str) -> None:
    """What an account calls itself is text, in every mail."""
    reset = CredentialReset(HOSTILE, IntentId("aaaaa-bbbbb"), NOW + timedelta(minutes=55))
    await page.set_content(html(reset if kind == "reset" else TestMessage(HOSTILE)))
    assert await page.title() != "owned"
    for element in ("script", "img", "h1"):
        assert await page.locator(element).count() == 0


@pytest.mark.parametrize("width", [360, 1200])
async def test_a_mail_fits_a_phone_and_a_desk(page: Page, width: int) -> None:
    """Nothing is wider than the window, so that nobody has to scroll sideways."""
    await page.set_viewport_size({"width": width, "height": 800})
    reset = CredentialReset("Ellie", IntentId("a" * 60), NOW + timedelta(minutes=55))
    await page.set_content(html(reset))
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
