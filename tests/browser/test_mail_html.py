"""The HTML part of each mail in a real browser: readable, and harmless whatever a display name holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from uuid import UUID

import pytest
from playwright.async_api import Page

from mail_sender.mail.config import MailConfig
from mail_sender.mail.render import render
from mail_sender.message import Content, CredentialReset, IntentId, Message, TestMessage

pytestmark = pytest.mark.debian("chromium-headless-shell", "fonts-dejavu-core")

NOW = datetime(2026, 11, 21, 13, 10, tzinfo=UTC)
CONFIG = MailConfig("Example Identity", "https://idm.example.com", "idm@example.com", "support@example.com")
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><h1>Mallory</h1>"


def html(content: Content, config: MailConfig = CONFIG) -> str:
    message = Message(UUID(int=1), NOW, NOW + timedelta(days=7), ("ellie@example.com",), content)
    mail = render(message, "ellie@example.com", config, NOW)
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


LINES = """link => {
  const text = link.firstChild, range = document.createRange(), lines = [];
  for (let at = 0; at < text.length; at++) {
    range.setStart(text, at);
    range.setEnd(text, at + 1);
    const top = Math.round(range.getClientRects()[0].top);
    if (lines.at(-1)?.top !== top) lines.push({top, said: ""});
    lines.at(-1).said += text.data[at];
  }
  return lines.map(line => line.said);
}"""
HOSTS = ["idm.example.com", *(f"{'i' * length}.example.com" for length in range(1, 25, 2)), "m" * 40 + ".example.com"]


@pytest.mark.parametrize("width", [360, 1280])
async def test_a_link_in_full_breaks_between_its_parts(page: Page, width: int) -> None:
    """After a sign, never inside a group of the token: a person may read it aloud, or copy it."""
    await page.set_viewport_size({"width": width, "height": 800})
    for host in HOSTS:
        config = replace(CONFIG, instance_url=f"https://{host}")
        reset = CredentialReset("Ellie", IntentId("d1c2s-tuyyh-kcpx2-zhfqx"), NOW + timedelta(minutes=55))
        await page.set_content(html(reset, config))
        for link in await page.locator(".link a").all():
            lines = await link.evaluate(LINES)
            assert "".join(lines) == await link.get_attribute("href")
            token = "".join(lines).index("token=")
            ends = [sum(map(len, lines[: count + 1])) for count in range(len(lines) - 1)]
            assert all("".join(lines)[end - 1] in "-=?/" for end in ends if end > token), lines
            assert min(map(len, lines)) >= 5, lines
