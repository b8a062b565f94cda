"""The page in a real browser: it shows and does what it says, and nothing that a hostile mail or another site wants.

Most tests serve the page themselves, with the stub's own queue, mailbox and misbehaviour behind it; one meets it in
the running stub, where another process queues and mail comes through the relay.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Literal
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect
from starlette.responses import HTMLResponse

from server_stub import timestamps
from server_stub.http_server import HttpServer
from server_stub.identity.people import People, Person
from server_stub.misbehaviour.active_rules import Misbehaviour
from server_stub.page import application as web
from server_stub.page import clean_html
from server_stub.page.same_origin import SameOriginOnly
from server_stub.page.snapshot import NEWEST
from server_stub.queue import credential_reset
from server_stub.queue.entry import compose
from server_stub.queue.store import Store
from server_stub.relay.mailbox import Envelope, Mailbox
from tests.stub.test_relay import connected, password
from tests.support.pictures import keep_picture
from tests.support.stub import Stub
from tests.support.stub_in_process import StubInProcess

pytestmark = pytest.mark.debian("chromium-headless-shell", "fonts-dejavu-core")
WITHOUT_A_BROWSER = pytest.mark.asyncio(loop_scope="session")  # the loop of the backend

ELLIE = "ellie@example.com"
LONG = "a" * 120
PEOPLE = People((Person("ellie", "Ellie", (ELLIE,)), Person("bob", "Bob"), Person("carol", None, (ELLIE,))))
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


# The page asks ten times as often as it asks for a person, whom half a second does not keep waiting.
IMPATIENCE = "const later = setTimeout; setTimeout = (does, pause) => later(does, pause / 10);"


@dataclass
class Backend:
    """What lies behind the page, and where the page is."""

    store: Store
    mailbox: Mailbox
    misbehaviour: Misbehaviour
    folder: Path
    origin: str

    def queue(self, template: Mapping[str, object] | None = None, age: int = 0, **more: object) -> str:
        """Queue an entry that is `age` seconds old."""
        content = dict(template or {"TestMessageV1": {"display_name": "Ellie"}})
        (key,) = self.store.add([compose(content, ELLIE, time.time_ns() - age * timestamps.NANOS) | more])
        return key

    def deliver(self, mail: bytes | EmailMessage, age: int = 0) -> None:
        """Put a mail where the relay puts it."""
        received = timestamps.write(time.time_ns() - age * timestamps.NANOS)
        envelope = Envelope(
            "idm@example.com", [ELLIE], "smtps", "TLSv1.3", "mail-sender", "sender.example", received, "sender.crt"
        )
        self.mailbox.store(mail if isinstance(mail, bytes) else mail.as_bytes(), envelope)


def made_mail(subject: str = "Test Message", key: str = "", text: str = "Good day\n", html: str = "") -> EmailMessage:
    """Make a mail as a sender makes it; with `key`, of that queue entry."""
    mail = EmailMessage()
    mail["From"] = "Example Identity <idm@example.com>"
    mail["To"] = f"Ellie <{ELLIE}>"
    mail["Subject"] = subject
    if key:
        mail["Message-ID"] = f"<{key}@example.com>"
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


@pytest_asyncio.fixture(loop_scope="session")
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    """Serve the page from an empty queue and an empty mailbox."""
    folder = tmp_path / "mail"
    folder.mkdir()
    store, mailbox = Store.open(tmp_path / "queue.sqlite", create=True), Mailbox(folder)
    misbehaviour = Misbehaviour.load(None)
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as the stub's own; else each answer waits 40 ms
    site = HttpServer(web.application(web.Web(store, mailbox, PEOPLE, misbehaviour)), bound)
    serving = await site.start()
    yield Backend(store, mailbox, misbehaviour, folder, f"http://127.0.0.1:{bound.getsockname()[1]}")
    site.stop()
    await serving
    store.close()


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[StubInProcess]:
    """Give a running stub with an empty queue."""
    with StubInProcess(tmp_path / "stub") as running:
        yield running


@pytest.fixture
def origin(request: pytest.FixtureRequest) -> str:
    """Give the page's origin: the running stub's where a test has one, else the backend's."""
    if "stub" in request.fixturenames:
        stub: Stub = request.getfixturevalue("stub")
        return f"http://localhost:{stub.ports['web']}"
    backend: Backend = request.getfixturevalue("backend")
    return backend.origin


@pytest_asyncio.fixture(loop_scope="session")
async def opened(page: Page) -> AsyncIterator[Page]:
    """Open the page; whatever its script stumbles over fails the test."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(f"a dialog: {dialog.message}"))
    await page.add_init_script(IMPATIENCE)
    await look_at(page)
    yield page
    assert faults == []


async def look_at(page: Page) -> None:
    """Open it and wait until all of it is there."""
    await page.goto("/")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await expect(page.get_by_role("button", name="Bad day")).to_be_visible()


def entries(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Queue").get_by_role("option")


def mails(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Mail").get_by_role("option")


async def choose_tab(page: Page, name: str) -> Locator:
    await page.get_by_role("tab", name=name).click()
    panel = page.get_by_role("tabpanel", name=name)
    await expect(panel).to_be_visible()
    return panel


async def test_what_is_queued_and_what_arrives_shows_without_a_reload(backend: Backend, page: Page) -> None:
    """Within a second of the change, with kind, recipient and state, and an arrival is said to a screen reader."""
    await look_at(page)
    key = backend.queue()
    await expect(entries(page)).to_contain_text(["Test message"], timeout=1000)
    await expect(entries(page)).to_contain_text([ELLIE])
    await expect(entries(page).locator(".state")).to_have_text(["queued"])
    backend.deliver(made_mail("First", key))
    await expect(mails(page)).to_contain_text(["First"], timeout=1000)
    await expect(page.locator("#announced")).to_have_text("A mail arrived: First")
    backend.store.mark_sent(key, time.time_ns())
    await expect(entries(page).locator(".state")).to_have_text(["sent"], timeout=1000)


async def test_a_mail_that_arrives_is_marked_as_new_until_it_is_selected(backend: Backend, page: Page) -> None:
    """Those that were there before are not; the title says it to who looks at another tab."""
    for number in range(3):
        backend.deliver(made_mail(f"Old {number}"))
    await look_at(page)
    await expect(mails(page).locator(".fresh")).to_have_text([""] * 3)
    backend.mailbox.delete(["00000003"])
    backend.deliver(made_mail("First"))
    backend.deliver(made_mail("Second"))
    await expect(mails(page).locator(".fresh")).to_have_text(["new", "new", "", ""])
    await expect(page.locator("#mail-count")).to_have_text("4, 2 new")
    await expect(page).to_have_title("(2 new) server-stub: queue and mail")
    await mails(page).filter(has_text="First").click()
    await expect(mails(page).locator(".fresh")).to_have_text(["new", "", "", ""])
    await mails(page).filter(has_text="Second").click()
    await expect(page).to_have_title("server-stub: queue and mail")
    await expect(page.locator("#mail-count")).to_have_text("4")


async def test_an_older_mail_that_comes_into_the_list_is_not_new(backend: Backend, page: Page) -> None:
    """The list holds the newest only; when one is deleted, the next older one takes the last place."""
    for number in range(NEWEST + 1):
        backend.deliver(made_mail(f"Mail {number}"))
    await look_at(page)
    await expect(mails(page)).to_have_count(NEWEST)
    backend.mailbox.delete([f"{NEWEST:08}"])
    await expect(page.locator("#mail-count")).to_have_text(str(NEWEST))
    await expect(mails(page).last).to_contain_text("Mail 0")
    await expect(mails(page).locator(".fresh").filter(has_text="new")).to_have_count(0)


@pytest.mark.parametrize(("width", "height", "least"), [(1280, 800, 0.45), (1280, 1200, 0.55), (390, 844, 0.5)])
async def test_the_mail_has_the_most_of_the_height(
    backend: Backend, opened: Page, width: int, height: int, least: float
) -> None:
    """Of the window, with many mails in the list."""
    await opened.set_viewport_size({"width": width, "height": height})
    for number in range(20):
        backend.deliver(made_mail(f"Mail {number}", html="<p>Good day</p>"))
    await expect(mails(opened)).to_have_count(20)
    await expect(opened.frame_locator("#html").get_by_text("Good day")).to_be_visible()
    box = await opened.locator("#html").bounding_box()
    assert box
    assert box["height"] >= least * height


@pytest.mark.parametrize("width", [390, 1280])
async def test_what_is_cut_of_a_mails_head_ends_with_an_ellipsis(backend: Backend, opened: Page, width: int) -> None:
    """Browsers draw one where lines are clamped; the whole text is the title. A usual subject is not cut at all."""
    await opened.set_viewport_size({"width": width, "height": 844})
    usual, long = "Example Identity: Credential Reset Link", "word " * 90
    subject = opened.locator("#subject")
    for text, is_cut in ((usual, False), (long, True)):
        backend.deliver(made_mail(text))
        await mails(opened).filter(has_text=text[:10]).click()
        await expect(subject).to_have_attribute("title", re.compile(f"^{text[:10]}"))
        assert await subject.evaluate("(head) => head.scrollHeight > head.clientHeight") is is_cut
    assert await subject.evaluate("(head) => getComputedStyle(head).webkitLineClamp") in {"2", "3"}
    for part in ("#mail-list .title", "#mail-list .under"):
        assert (
            await opened.locator(part).first.evaluate("(text) => getComputedStyle(text).textOverflow") == "ellipsis"
        )


async def test_an_empty_page_says_what_to_do(opened: Page) -> None:
    """No empty lists: a sentence in each pane."""
    await expect(opened.get_by_text("Nothing is queued. Queue a test message above")).to_be_visible()
    await expect(opened.get_by_text("No mail yet. Queue a test message")).to_be_visible()
    await expect(opened.get_by_text("No rule is active.")).to_be_visible()
    await expect(opened.get_by_role("button", name="Delete all")).to_be_hidden()


async def test_the_newest_entry_is_open_at_once(backend: Backend, page: Page) -> None:
    """Half of the pane is for it."""
    backend.queue(age=60)
    backend.queue(
        {"CredentialResetV1": {"display_name": "Ellie", "intent_id": "a", "expiry_time": int(time.time()) + 600}}
    )
    await look_at(page)
    await expect(page.locator("#entry-title")).to_have_text("Credential reset")
    await expect(page.get_by_text("Valid until", exact=True)).to_be_visible()


async def test_a_mail_of_text_alone_is_read_at_once(backend: Backend, opened: Page) -> None:
    """As Kanidm's own sender writes it; the tab that was chosen comes back with the next mail that has it."""
    backend.deliver(made_mail("Both", text="one\n", html="<p>two</p>"))
    await expect(opened.get_by_role("tabpanel", name="HTML")).to_be_visible()
    backend.deliver(made_mail("Text alone", text="three\n"))
    await mails(opened).filter(has_text="Text alone").click()
    await expect(opened.get_by_role("tabpanel", name="Text")).to_contain_text("three")
    await mails(opened).filter(has_text="Both").click()
    await expect(opened.get_by_role("tabpanel", name="HTML")).to_be_visible()


async def test_what_was_done_before_is_not_said_for_ever(backend: Backend, opened: Page) -> None:
    """The next thing that is done takes its place, in either pane."""
    backend.deliver(made_mail("Gone soon"))
    await opened.get_by_role("button", name="Queue a test message").click()
    await expect(opened.locator("#queue-said")).to_have_text(f"Queued for {ELLIE}.")
    await opened.get_by_role("button", name="Delete", exact=True).click()
    await expect(opened.locator("#mail-said")).to_have_text("Deleted.")
    await expect(opened.locator("#queue-said")).to_have_text("")


async def test_each_state_is_a_word(backend: Backend, opened: Page) -> None:
    """Queued, sent, delayed, and expired by its link or by its time in the queue."""
    reset = {"CredentialResetV1": {"display_name": "Ellie", "intent_id": "a", "expiry_time": int(time.time()) - 1}}
    backend.queue()
    backend.queue(sent_at=timestamps.write(time.time_ns()))
    backend.queue(send_after="2999-01-01T00:00:00Z")
    backend.queue(reset)
    backend.queue(delete_after="2000-01-01T00:00:00Z")
    words = ["expired", "expired", "delayed", "sent", "queued"]
    await expect(entries(opened).locator(".state")).to_have_text(words)


async def test_a_state_that_changes_by_itself_shows(backend: Backend, opened: Page) -> None:
    """A delayed message gets ready when its time comes, though nobody changes anything."""
    backend.queue(send_after=timestamps.write(time.time_ns() + 2 * timestamps.NANOS))
    await expect(entries(opened).locator(".state")).to_have_text(["delayed"])
    await expect(entries(opened).locator(".state")).to_have_text(["queued"])


async def test_the_buttons_queue_what_they_say_or_show_the_refusal(backend: Backend, opened: Page) -> None:
    """A test message, a credential reset, and for bob, who has no address, what to do."""
    await opened.get_by_role("button", name="Queue a test message").click()
    await expect(opened.get_by_text(f"Queued for {ELLIE}.")).to_be_visible()
    await opened.get_by_role("button", name="Queue a credential reset").click()
    await expect(entries(opened).locator(".title")).to_have_text(["Credential reset", "Test message"])
    assert backend.store.count_unsent() == 2
    await opened.get_by_label("To", exact=True).select_option("bob")
    await opened.get_by_role("button", name="Queue a test message").click()
    said = opened.locator("#queue-said")
    await expect(said).to_have_text(
        re.compile("^bob has no mail address: choose somebody else.* 500 missingattribute mail")
    )
    await opened.get_by_role("button", name="Queue a credential reset").click()
    await expect(said).to_have_text(re.compile("^bob has no mail address: .* 500 cu0008accountmissingemail"))
    assert backend.store.count_unsent() == 2


@WITHOUT_A_BROWSER
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/queue/test/bob", "bob has no mail address: choose somebody else"),
        ("/queue/reset/bob", "bob has no mail address: choose somebody else"),
        ("/queue/test/carol", "carol has no displayname: choose somebody else"),
        ("/queue/reset/nobody", "nobody is not there (any more): reload the page"),
        (f"/queue/{UUID(int=1)}/sent", "The entry is not there (any more): reload the page"),
        (f"/queue/{UUID(int=1)}/unsent", "The entry is not there (any more): reload the page"),
    ],
)
async def test_what_kanidm_would_refuse_is_a_sentence_without_json(
    client: httpx.AsyncClient, path: str, words: str
) -> None:
    """Kanidm's own words stand at its end."""
    async with client:
        error = (await client.post(path)).json()["error"]
    assert error.startswith(words)
    assert not set('{}[]"') & set(error)
    assert "(Kanidm's answer: " in error


async def test_an_entry_is_marked_and_unsent_with_the_same_button(backend: Backend, opened: Page) -> None:
    """The button says what it will do, keeps the focus, and the store has it."""
    key = backend.queue()
    await entries(opened).first.click()
    await opened.get_by_role("button", name="Mark as sent").click()
    await expect(entries(opened).locator(".state")).to_have_text(["sent"])
    assert backend.store.count_unsent() == 0
    unsend = opened.get_by_role("button", name="Un-send")
    await expect(unsend).to_be_focused()
    await unsend.click()
    await expect(entries(opened).locator(".state")).to_have_text(["queued"])
    # Long after its mark mail-sender says so (`LAGGING`, tests/unit/sender/test_poll.py); it never mails it by itself.
    said = opened.locator("#queue-said")
    await expect(said).to_contain_text("does not mail it again by itself")
    await expect(said).to_contain_text(f"15 minutes after the mark. “mail-sender queue resend {key[:8]}”")
    await expect(opened.locator("#entry-facts")).to_contain_text(key)
    assert backend.store.count_unsent() == 1


async def test_a_mail_is_deleted_and_its_neighbour_takes_its_place(backend: Backend, opened: Page) -> None:
    """Both files go; what comes after it is shown, and after the last the pane says that it is empty."""
    for subject in ("One", "Two", "Three"):
        backend.deliver(made_mail(subject))
    await mails(opened).filter(has_text="Two").click()
    for shown in ("Two", "One", "Three"):
        await expect(opened.get_by_role("heading", name=shown)).to_be_visible()
        await opened.get_by_role("button", name="Delete", exact=True).click()
    await expect(opened.get_by_text("No mail yet.")).to_be_visible()
    await expect(opened.get_by_role("heading", name="Mail", exact=True)).to_be_focused()
    assert list(backend.folder.iterdir()) == []


async def test_all_mails_are_deleted_only_after_a_question(backend: Backend, opened: Page) -> None:
    """Escape and "Keep it" keep them; the queue stays in any case."""
    backend.queue()
    for number in range(3):
        backend.deliver(made_mail(str(number)))
    question = opened.get_by_role("dialog", name="Delete all mail?")
    for refuse in (opened.keyboard.press("Escape"), opened.get_by_role("button", name="Keep it").click()):
        await opened.get_by_role("button", name="Delete all …").click()
        await expect(question).to_be_visible()
        await refuse
        await expect(question).to_be_hidden()
    await expect(mails(opened)).to_have_count(3)
    await opened.get_by_role("button", name="Delete all …").click()
    await question.get_by_role("button", name="Delete all mail").click()
    await expect(opened.get_by_text("Deleted 3 mails.")).to_be_visible()
    assert list(backend.folder.iterdir()) == []
    await expect(entries(opened)).to_have_count(1)


async def test_each_tab_shows_its_part(backend: Backend, opened: Page) -> None:
    """HTML with its pictures, text, source, decoded headers, and what the wire knew."""
    mail = made_mail("Café", "", "Good day in text\n", '<p>Good day in HTML</p><img src="cid:dot" alt="dot">')
    mail["X-Odd"] = "=?utf-8?q?r=C3=A9sum=C3=A9?="
    html = mail.get_body(("html",))
    assert html is not None
    html.add_related(PIXEL, "image", "png", cid="<dot>")
    backend.deliver(mail)
    frame = opened.frame_locator("#html")
    await expect(frame.get_by_text("Good day in HTML")).to_be_visible()
    await expect(frame.get_by_role("img", name="dot")).to_have_js_property("naturalWidth", 1)
    await expect(await choose_tab(opened, "Text")).to_contain_text("Good day in text")
    await expect(await choose_tab(opened, "Source")).to_contain_text("Subject: =?utf-8?")
    headers = await choose_tab(opened, "Headers")
    await expect(headers).to_contain_text("Café")
    await expect(headers).to_contain_text("résumé")
    facts = await choose_tab(opened, "Facts")
    for fact in ("TLSv1.3", "smtps", "sender.crt", "mail-sender", "sender.example", "idm@example.com", ELLIE,
                 "mail/00000001.eml"):  # fmt: skip
        await expect(facts).to_contain_text(fact)


async def test_a_mail_and_its_entry_lead_to_each_other(backend: Backend, opened: Page) -> None:
    """Matched by the Message-ID, also with a recipient's mark, or by Kanidm's line in the text."""
    keys = [backend.queue() for _ in range(3)]
    marked = made_mail("Marked")
    marked["Message-ID"] = f"<{keys[1]}.0123456789ab@example.com>"
    for mail in (made_mail("Plain", keys[0]), marked, made_mail("Kanidm's", text=f"Hello\n\nmsg_id: {keys[2]}  \n")):
        backend.deliver(mail)
    backend.deliver(made_mail("Foreign", text=f"this is no msg_id: {keys[2]}\n"))
    for key, subject in zip(keys, ("Plain", "Marked", "Kanidm's"), strict=True):
        await mails(opened).filter(has_text=subject).click()
        await expect(opened.get_by_role("heading", name=subject)).to_be_visible()
        await opened.get_by_role("button", name="Show its queue entry").click()
        await expect(opened.locator("#entry-facts")).to_contain_text(key)
        await expect(opened.get_by_role("listbox", name="Queue")).to_be_focused()
        await mails(opened).filter(has_text="Foreign").click()
        await expect(opened.get_by_role("button", name="Show its queue entry")).to_be_hidden()
        await opened.get_by_role("button", name=subject).click()
        await expect(opened.get_by_role("heading", name=subject)).to_be_visible()


async def test_an_entry_that_is_too_old_for_the_list_is_found_all_the_same(backend: Backend, opened: Page) -> None:
    """A mail leads to its entry however many came after it; lists are short, and say how many there are."""
    key = backend.queue(name="old")
    backend.store.add([compose({"TestMessageV1": {}}, ELLIE, time.time_ns()) for _ in range(5000)])
    backend.deliver(made_mail("Old", key))
    for _ in range(NEWEST):
        backend.deliver(b"Subject: x\r\n\r\nx\r\n")
    await expect(opened.get_by_text(f"the newest {NEWEST} of 5001")).to_be_visible()
    await expect(opened.get_by_text(f"the newest {NEWEST} of {NEWEST + 1}")).to_be_visible()
    await expect(entries(opened)).to_have_count(NEWEST)
    backend.deliver(made_mail("Youngest", key))
    await mails(opened).filter(has_text="Youngest").click()
    await opened.get_by_role("button", name="Show its queue entry").click()
    await expect(opened.locator("#entry-facts")).to_contain_text(key)
    await opened.get_by_role("button", name="Mark as sent").click()
    await expect(opened.get_by_role("button", name="Un-send")).to_be_visible()
    assert backend.store.count_unsent() == 5000


async def test_selection_scroll_and_layout_stay_while_others_come_and_go(backend: Backend, opened: Page) -> None:
    """What somebody reads stays selected and in its place, and no part of the page moves."""
    for number in range(40):
        backend.queue()
        backend.deliver(made_mail(f"Mail {number:02}"))
    await expect(mails(opened)).to_have_count(40)
    chosen = mails(opened).filter(has_text="Mail 20")
    await chosen.click()
    await expect(opened.get_by_role("heading", name="Mail 20")).to_be_visible()
    parts = [opened.locator(part) for part in ("#queue", "#mail", "#mail-list", "#reading", "#misbehaviour")]
    before = [await part.bounding_box() for part in [*parts, chosen]]
    backend.queue()
    backend.deliver(made_mail("Another"))
    backend.mailbox.delete(["00000030"])
    await expect(mails(opened).first).to_contain_text("Another")
    await expect(chosen).to_have_attribute("aria-selected", "true")
    await expect(opened.get_by_role("heading", name="Mail 20")).to_be_visible()
    assert [await part.bounding_box() for part in [*parts, chosen]] == before


async def test_misbehaviour_is_set_counted_and_cleared(backend: Backend, opened: Page) -> None:
    """Wrong rules get their sentence and change nothing; what applies is shown with how often it has acted."""
    rules = opened.get_by_label("Rules (TOML)")
    await rules.fill("[[apiii]]\n")
    await opened.get_by_role("button", name="Apply").click()
    await expect(opened.locator("#misbehaviour-said")).to_contain_text("there is no table `apiii`")
    assert backend.misbehaviour.text == ""
    await opened.get_by_role("button", name="Busy server").click()
    await expect(rules).to_be_focused()
    await opened.get_by_role("button", name="Apply").click()
    await expect(opened.get_by_text("Applied")).to_be_visible()
    await expect(opened.locator("#fired")).to_contain_text("not yet")
    await expect(opened.get_by_role("link", name="Misbehaviour: on")).to_be_visible()
    for _ in range(4):
        backend.misbehaviour.at_call("ready")
    await expect(opened.locator("#fired")).to_contain_text("2 times")
    await rules.press("End")
    await rules.type("# unfinished")
    backend.misbehaviour.set("")
    await expect(opened.get_by_text("No rule is active.")).to_be_visible()
    assert "# unfinished" in await rules.input_value()
    await opened.get_by_role("button", name="Clear").click()
    await expect(rules).to_have_value("")


async def test_every_ready_made_misbehaviour_is_understood(backend: Backend, opened: Page) -> None:
    """Each button puts TOML into the text that the stub takes, and that changes something."""
    buttons = opened.get_by_role("list", name="Ready-made").get_by_role("button")
    texts = set()
    for button in await buttons.all():
        await button.click()
        texts.add(text := await opened.get_by_label("Rules (TOML)").input_value())
        backend.misbehaviour.set(text)
        assert backend.misbehaviour.fired() != []
    assert len(texts) == 8


async def test_everything_can_be_done_by_keyboard(backend: Backend, opened: Page) -> None:
    """Tab goes from part to part in reading order with the focus to be seen; arrows walk lists and tabs."""
    key = backend.queue()
    for number in range(3):
        backend.deliver(made_mail(f"Mail {number}", key, html="<p>Hello</p>"))
    await expect(mails(opened)).to_have_count(3)
    press = opened.keyboard.press
    met = []
    await expect(opened.locator("#entry-mails button")).to_have_count(3)
    for _ in range(17):
        await press("Tab")
        met.append(await opened.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        seen = await opened.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert seen == "solid", met
    assert met == [
        "Queue", "Mail", "Misbehaviour: on", "person", "queue-test", "queue-reset", "queue-list", "mark",
        *(f"Mail {number} to Ellie <{ELLIE}>" for number in (2, 1, 0)), "JSON", "delete-all", "mail-list", "to-entry", "delete", "tab-html",
    ]  # fmt: skip
    await press("ArrowRight")
    await expect(opened.get_by_role("tabpanel", name="Text")).to_be_visible()
    await press("End")
    await expect(opened.get_by_role("tab", name="Facts")).to_be_focused()
    await press("ArrowRight")
    await expect(opened.get_by_role("tab", name="HTML")).to_be_focused()
    for _ in range(3):
        await press("Shift+Tab")
    await expect(opened.get_by_role("listbox", name="Mail")).to_be_focused()
    for stroke, subject in (("ArrowDown", "Mail 1"), ("End", "Mail 0"), ("ArrowUp", "Mail 1"), ("Home", "Mail 2")):
        await press(stroke)
        await expect(opened.get_by_role("heading", name=subject)).to_be_visible()
    active = opened.locator(f"#{await opened.locator('#mail-list').get_attribute('aria-activedescendant')}")
    await expect(active).to_contain_text("Mail 2")
    await press("Tab")
    await press("Enter")
    await expect(opened.locator("#entry-facts")).to_contain_text(key)
    await press("Tab")
    await press("Enter")
    await expect(opened.get_by_role("button", name="Un-send")).to_be_focused()


NAMES = """() => [...document.querySelectorAll("button, select, textarea, iframe, [role], pre[tabindex]")]
    .filter((one) => one.checkVisibility())
    .filter((one) => one.role !== "status" && one.role !== "option")
    .filter((one) => !(one.labels?.length || one.ariaLabel || one.title || one.getAttribute("aria-labelledby")
        || one.textContent.trim()))
    .map((one) => one.outerHTML)"""


async def test_everything_has_a_name_for_a_screen_reader(backend: Backend, opened: Page) -> None:
    """Controls and regions are named, the selected row is announced by its words, tabs point to their panels."""
    backend.queue()
    backend.deliver(made_mail(html="<p>x</p>"))
    await entries(opened).first.click()
    await expect(opened.get_by_role("tab", selected=True)).to_have_accessible_name("HTML")
    assert await opened.evaluate(NAMES) == []
    for region in ("Queue", "Mail", "Misbehaviour"):
        await expect(opened.get_by_role("region", name=region)).to_be_visible()
    for tab in await opened.get_by_role("tab").all():
        panel = opened.locator(f"#{await tab.get_attribute('aria-controls')}")
        assert await panel.get_attribute("aria-labelledby") == await tab.get_attribute("id")


# The contrast of each text with the first opaque ground behind it (WCAG 2.2, 1.4.3), where it is below 4.5.
FAINT = """() => {
  const rgb = (color) => color.match(/[\\d.]+/g).map(Number);
  const part = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const ground = (one) => { const color = rgb(getComputedStyle(one).backgroundColor);
    return color[3] === 0 ? ground(one.parentElement) : color; };
  const contrast = (one) => { const [a, b] = [light(rgb(getComputedStyle(one).color)), light(ground(one))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); };
  return [...document.body.querySelectorAll("*")].filter((one) => one.checkVisibility()
      && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && contrast(one) < 4.5)
    .map((one) => `${one.outerHTML.slice(0, 80)} ${contrast(one).toFixed(2)}`);
}"""


async def test_every_text_is_readable_in_both_modes(backend: Backend, opened: Page) -> None:
    """The page follows the system's mode; all texts have the contrast of level AA, on the ground that they stand on."""
    await fill(backend, opened)
    await opened.get_by_label("To", exact=True).select_option("bob")
    await opened.get_by_role("button", name="Queue a test message").click()
    await expect(opened.locator("#queue-said.failed")).to_be_visible()
    light, dark = await brightness(opened, "light"), await brightness(opened, "dark")
    assert (light > 200, dark < 60) == (True, True)


async def brightness(page: Page, scheme: Literal["light", "dark"]) -> float:
    """Return that of the page's ground in a mode, 0 to 255; no text in it may be faint."""
    await page.emulate_media(color_scheme=scheme)
    assert await page.evaluate(FAINT) == [], scheme
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    return float(sum(ground)) / len(ground)


async def fill(backend: Backend, page: Page) -> None:
    """Give the page one of everything, long words included."""
    expired = credential_reset.template("Ellie", None, int(time.time()) - 7200)
    backend.queue(expired, 7200)
    backend.queue({"InvitationV9": {"display_name": LONG}}, 600, mail_destination=[{"value": f"{LONG}@example.com"}])
    backend.queue(age=300, send_after="2999-01-01T00:00:00Z")
    sent = backend.queue(credential_reset.template("Ellie", None, int(time.time())), 130)
    backend.store.mark_sent(sent, time.time_ns())
    backend.queue(age=5)
    backend.deliver(made_mail(LONG, text=f"https://example.com/{LONG}\n"), 90_000)
    html = (
        "<body style='margin:0;background:#f3f4f6;font-family:sans-serif'><div style='max-width:520px;margin:24px "
        "auto;padding:24px;background:#fff;border-radius:8px'><p>Hello Ellie,</p><p>somebody has asked to reset the "
        "credentials of this account.</p><p><a href='https://idm.example.com/' style='padding:8px 16px;background:"
        "#1d4ed8;color:#fff;border-radius:6px'>Reset credentials</a></p></div></body>"
    )
    backend.deliver(made_mail("Example Identity: Credential Reset Link", sent, "Hello Ellie\n", html), 100)
    backend.misbehaviour.set('[[relay]]\nat = "rcpt"\nstall = 2\nevery = 2\n')
    await expect(entries(page)).to_have_count(5)
    await expect(mails(page)).to_have_count(2)
    await mails(page).first.click()
    await entries(page).nth(1).click()
    await expect(page.locator("#entry-title")).to_have_text("Credential reset")
    await expect(page.frame_locator("#html").get_by_text("Hello Ellie")).to_be_visible()


@pytest.mark.parametrize("width", [360, 1280])
async def test_it_fits_a_phone_and_a_large_screen(backend: Backend, opened: Page, width: int) -> None:
    """Nothing is wider than the window with long words in every place; pictures of it are kept."""
    await opened.set_viewport_size({"width": width, "height": 780 if width == 360 else 900})
    for content in ("empty", "full"):
        if content == "full":
            await fill(backend, opened)
            # The browser paints only frames that were in view.
            await opened.locator("#html").scroll_into_view_if_needed()
        for scheme in ("light", "dark"):
            await opened.emulate_media(color_scheme=scheme)
            await keep_picture(opened, f"stub-page-{content}-{width}-{scheme}")
        assert await opened.evaluate("document.documentElement.scrollWidth") <= width
    for tab in ("Text", "Source", "Headers", "Facts"):
        await choose_tab(opened, tab)
        await mails(opened).nth(1).click()
        await expect(opened.get_by_role("heading", name=LONG)).to_be_visible()
        assert await opened.evaluate("document.documentElement.scrollWidth") <= width
        assert await opened.get_by_role("tabpanel").evaluate("(panel) => panel.scrollWidth - panel.clientWidth") <= 0
    lefts = [await opened.locator(pane).evaluate("(pane) => pane.offsetLeft") for pane in ("#queue", "#mail")]
    assert (lefts[0] == lefts[1]) == (width == 360)


async def test_a_stub_that_does_not_answer_is_said_until_it_answers(opened: Page) -> None:
    """The page goes on asking."""
    await opened.route("**/state", lambda route: route.abort())
    await expect(opened.get_by_text("The stub does not answer; trying again")).to_be_visible()
    await opened.unroute("**/state")
    await expect(opened.get_by_text("Live", exact=True)).to_be_visible()


async def test_asking_again_costs_next_to_nothing(backend: Backend, opened: Page) -> None:
    """While nothing changes, the answer is a 304 without a body."""
    backend.queue()
    await expect(entries(opened)).to_have_count(1)
    async with opened.expect_response("**/state") as asked:
        pass
    answer = await asked.value
    assert answer.status == 304


ODD: Sequence[object] = (
    42, None, [], "text", {"raw": True, "message_template": 1, "mail_destination": [1]},
    {"id": "<b>no id</b>", "message_template": {"<b>": {"display_name": "<b>"}}, "mail_destination": [{"value": "<b>"}]},
    {"id": "00000000-0000-0000-0000-000000000001"}, {"id": "00000000-0000-0000-0000-000000000001"},
    {"message_template": {"CredentialResetV1": {"expiry_time": 10**400}}, "send_after": "\ud800", "sent_at": {"a": 1}},
)  # fmt: skip


async def test_odd_entries_are_shown_as_far_as_they_can_be(backend: Backend, opened: Page) -> None:
    """What somebody queued by hand, each with its JSON, also without an id or with one that another has."""
    backend.store.add(ODD)
    await expect(entries(opened)).to_have_count(len(ODD))
    for row in await entries(opened).all():
        await row.click()
        await expect(opened.locator("#entry-shown")).to_be_visible()
    await expect(opened.locator("#entry-json")).to_have_text("42")
    await expect(opened.get_by_role("button", name="Mark as sent")).to_be_hidden()


async def test_the_running_stub_serves_it(stub: Stub, opened: Page) -> None:
    """An entry that another process queues and a mail that comes through the relay show as they do in the tests."""
    (key,) = await asyncio.to_thread(stub.queue, [{"message_template": {"TestMessageV1": {"display_name": "Ellie"}}}])
    await expect(entries(opened)).to_have_count(1)

    def deliver() -> None:
        trust = ssl.create_default_context(cafile=str(stub.ca))
        with connected(stub, "smtps", trust) as client:
            client.login("mail-sender", password(stub))
            client.send_message(made_mail("Through the relay", key), "idm@example.com", [ELLIE])

    await asyncio.to_thread(deliver)
    await expect(mails(opened)).to_contain_text(["Through the relay"])
    facts = await choose_tab(opened, "Facts")
    await expect(facts).to_contain_text(re.compile(r"TLSv1\.[23]"))
    await expect(facts).to_contain_text("mail-sender")
    await opened.get_by_role("button", name="Queue a credential reset").click()
    await expect(entries(opened)).to_have_count(2)


class Lure:
    """A server that hostile mails point to; it notes who connects."""

    def __init__(self) -> None:
        self.met: list[tuple[str, int]] = []
        self._arrived = asyncio.Condition()

    async def greet(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._arrived:
            self.met.append(writer.get_extra_info("peername"))
            self._arrived.notify_all()
        writer.close()

    async def lured(self, port: int) -> int:
        """Connect ourselves, and return how many came before: connections are taken in their order."""
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        own = writer.get_extra_info("sockname")
        async with self._arrived:
            await asyncio.wait_for(self._arrived.wait_for(lambda: own in self.met), 10)
        writer.close()
        return self.met.index(own)


# What tries to run, to load, to leave or to ask; LURE is the address of a server that must never be met.
HOSTILE = (
    "<script>alert(1); top.location = 'LURE'; parent.document.title = 'owned'; fetch('LURE')</script>",
    "<img src=x onerror=alert(1)><svg onload=alert(1)></svg><body onload=alert(1)><details open ontoggle=alert(1)>x",
    "<input autofocus onfocus=alert(1)><video src=x onerror=alert(1)></video><marquee onstart=alert(1)>x</marquee>",
    "<form action='LURE' method=post><input name=a value=b><button autofocus>Send</button></form><button form=x formaction=LURE>y</button>",
    "<meta http-equiv=refresh content='0; url=LURE'><meta http-equiv=set-cookie content='a=b'>",
    "<base href='LURE' target=_top><a href='/here'>link</a><img src='picture.png'>",
    "<a href='LURE' target=_top ping='LURE'>link</a><a href='LURE'>link</a><a href='LURE' target=_blank>link</a>",
    "<a href='javascript:alert(1)'>link</a><a href='data:text/html,<script>alert(1)</script>'>link</a><a href='/' target=_top>link</a>",
    "<img src='LURE/1.png' srcset='LURE/2.png 2x'><picture><source srcset='LURE/3.png'></picture><table background='LURE/4.png'></table>",
    "<link rel=stylesheet href='LURE/1.css'><link rel=icon href='LURE/i'><link rel=prefetch href='LURE/p'><link rel=modulepreload href='LURE/m'>",
    "<style>@import 'LURE/1.css'; @font-face { font-family: f; src: url('LURE/f') } * { background: url('LURE/b'); font-family: f }</style>",
    "<style>p[title^=s] { background: url('LURE/s') } p::after { content: url('LURE/a') }</style><p title=secret style=\"cursor: url('LURE/c'), auto\">x</p>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><object data='data:text/html,<script>alert(1)</script>'></object>",
    "<svg><script>alert(1)</script><image href='LURE/i'/><use href='LURE/u#x'/><a href='LURE'><text y=20>link</text></a><foreignObject><img src='LURE/f'></foreignObject></svg>",
    "<svg><animate attributeName=href to='javascript:alert(1)' begin=0s /></svg><template shadowrootmode=open><img src='LURE/t'></template>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript><title><img src=x onerror=alert(1)></title><textarea></textarea><img src=LURE>",
    "<video poster='LURE/p' src='LURE/v' autoplay></video><audio src='LURE/a' autoplay></audio><track src='LURE/t'>",
    "<dialog open><p>Your session has ended</p></dialog><p popover id=p>x</p><button popovertarget=p>y</button>",
    "<!--[if mso]><img src='LURE/o'><![endif]--><![foo[<img src='LURE/m'>",
)  # fmt: skip
# A browser looks up and connects to these, whatever the policy of the page says; only cleaning helps.
CONNECTING = (
    "<link rel=preconnect href='LURE'><link rel=dns-prefetch href='LURE'><a href='LURE'>link</a>",
    "<link rel='preconnect' crossorigin href='LURE'>",
    "<iframe src='LURE'></iframe><object data='LURE'></object><embed src='LURE'>",
    "<svg><foreignObject><iframe src='LURE'></iframe></foreignObject></svg>",
)


def hostile(html: str, lure: str) -> bytes:
    """Make a mail that is hostile in its headers too."""
    newline = "=?utf-8?q?=0D=0AX-Injected=3A_=3Cscript=3Ealert=281=29=3C=2Fscript=3E?="
    head = (
        f"Subject: Hello <img src={lure} onerror=alert(1)> {newline}\r\n"
        f'From: {newline} <script>alert(1)</script> <a@example.com>\r\nTo: "<svg onload=alert(1)>" <b@example.com>\r\n'
        "X-<b>: <iframe src=javascript:alert(1)>\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    )
    return f"{head}<p>harmless words</p>{html.replace('LURE', lure)}\r\n".encode()


@pytest.mark.parametrize("cleaned", [True, False], ids=["as it is served", "if it were not cleaned"])
async def test_a_hostile_mail_can_do_nothing(
    backend: Backend, opened: Page, monkeypatch: pytest.MonkeyPatch, *, cleaned: bool
) -> None:
    """No script, request, connection, navigation, window or dialog; the frame's policy alone would do for most."""
    lure = Lure()
    server = await asyncio.start_server(lure.greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    if not cleaned:
        monkeypatch.setattr(clean_html, "clean", lambda html, _: html)
    pieces = (*HOSTILE, *CONNECTING) if cleaned else HOSTILE
    title = await opened.title()
    for piece in pieces:
        backend.deliver(hostile(piece, address))
    await expect(mails(opened)).to_have_count(len(pieces))
    for number in range(1, len(pieces) + 1):
        await opened.locator(f"#mail-list-{number:08}").click()
        await expect(opened.locator("#html")).to_have_attribute("src", f"/mail/{number:08}/html")
        await expect(opened.locator("#html")).to_have_attribute("sandbox", "")
        frame = opened.frame_locator("#html")
        await expect(frame.get_by_text("harmless words")).to_have_text("harmless words")
        if cleaned:
            for link in await frame.get_by_text("link", exact=True).all():
                await link.click()
            await expect(frame.get_by_text("harmless words")).to_be_visible()
            assert (
                await frame.locator(":is(script, link, meta, base, form, input, button, iframe, svg, dialog)").count()
                == 0
            )
            assert {frame.url.removeprefix(backend.origin)[:6] for frame in opened.frames} == {"/", "/mail/"}
        assert not [frame.url for frame in opened.frames if frame.url.startswith(address)]
        shown = re.sub(r"^\(\d+ new\) ", "", await opened.title())
        assert [shown, opened.url] == [title, f"{backend.origin}/"]
        assert len(opened.context.pages) == 1
    for tab in ("Text", "Source", "Headers", "Facts"):
        await choose_tab(opened, tab)
    assert await opened.locator("main :is(script, img, svg, object, embed, video)").count() == 0
    # Opened by itself, outside the page's frame, it is just as harmless.
    await opened.goto("/mail/00000001/html")
    await expect(opened.get_by_text("harmless words")).to_be_visible()
    assert await lure.lured(port) == 0
    server.close()


BROKEN = (
    b"",
    b"\r\n",
    b"Subject: =?utf-8?q?caf=C3=A9?=\r\nContent-Type: text/plain; charset=nowhere\r\n\r\nx\r\n",
    b"Content-Type: multipart/mixed\r\n\r\nx\r\n",
    b"Content-Type: ;;;\r\nTo: <<<@>>>,,;\r\nDate: \xff\xfe\r\n\r\n\xff\xfe\r\n",
    b"Subject: =?utf-8?b?!!!?=\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
    b"Content-Type: text/plain; charset*=x''%ff; name*0*=y\r\nContent-Disposition: [\r\n\r\nx\r\n",
    b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (at, at) for at in range(3000)),
    b"Content-Type: text/html\r\n\r\n" + b"<!--" * 200_000,
    b"Content-Type: text/html\r\n\r\n" + b"<a <b" * 100_000 + b"<div>" * 100_000 + b"<![" * 1000,
    b"Subject: " + b"=?utf-8?q?x?= " * 20_000 + b"\r\n\r\n" + b"y" * 20_000_000,
    b"Content-Type: text/html; charset=utf-7\r\n\r\n+ADw-script+AD4-alert(1)+ADw-/script+AD4-\r\n",
    b"Subject: \xe2\x80\xaegnp.exe\r\nContent-ID: <\"'>\r\nContent-Type: image/png\r\n\r\n\x00\x01\r\n",
)


async def test_a_broken_or_huge_mail_is_shown_as_far_as_it_can_be(backend: Backend, opened: Page) -> None:
    """Whatever bytes the relay took, every tab answers, and a long text is cut and says so."""
    for mail in BROKEN:
        backend.deliver(mail)
    await expect(mails(opened)).to_have_count(len(BROKEN))
    for number in range(1, len(BROKEN) + 1):
        answer = await opened.request.get(f"/mail/{number:08}")
        assert answer.ok, number
        assert len(await answer.body()) < 4 * 2**20
        assert (await opened.request.get(f"/mail/{number:08}/html")).ok, number
    await mails(opened).nth(2).click()
    await expect(await choose_tab(opened, "Source")).to_contain_text(
        "The first 262144 of 20280013; the rest is in the file."
    )


SAME = {"sec-fetch-site": "same-origin"}
CROSS = (
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
)
CHANGES = (
    "/queue/test/ellie", "/queue/reset/ellie", "/queue/KEY/sent", "/queue/KEY/unsent", "/mail/00000001/delete",
    "/mail/delete", "/misbehaviour", "/misbehaviour/clear",
)  # fmt: skip


@pytest.fixture
def client(origin: str) -> httpx.AsyncClient:
    """Give a client that sends what a test says and nothing of its own."""
    return httpx.AsyncClient(base_url=origin, trust_env=False, timeout=10)


@WITHOUT_A_BROWSER
async def test_another_site_changes_nothing(backend: Backend, client: httpx.AsyncClient) -> None:
    """Every change is POST and refused where a browser says that another origin asks; programs without one may."""
    key = backend.queue()
    backend.deliver(made_mail())
    before = backend.store.version(), backend.mailbox.version()
    async with client:
        for path in CHANGES:
            for headers in CROSS:
                answer = await client.post(path.replace("KEY", key), headers=headers)
                assert (answer.status_code, "Another site" in answer.json()["error"]) == (403, True), (path, headers)
            assert (await client.get(path.replace("KEY", key))).status_code in {404, 405}, path
        assert (backend.store.version(), backend.mailbox.version()) == before
        assert (await client.post("/mail/delete", headers=SAME | {"origin": backend.origin})).status_code == 200
        assert (await client.post("/queue/test/ellie")).status_code == 200


async def test_a_real_browser_on_another_site_changes_and_frames_nothing(backend: Backend, page: Page) -> None:
    """Neither by script nor by form nor in a frame."""
    backend.deliver(made_mail())
    attack = (
        f"<form method=post action='{backend.origin}/mail/delete' target=there></form><iframe name=there></iframe>"
        f"<iframe src='{backend.origin}/'></iframe><script>onload = () => document.forms[0].submit();"
        f"fetch('{backend.origin}/mail/delete', {{method: 'POST', mode: 'no-cors'}}).catch(() => 0)</script>"
    )
    bound = socket.create_server(("127.0.0.1", 0))
    site, elsewhere = HttpServer(HTMLResponse(attack), bound), f"http://127.0.0.1:{bound.getsockname()[1]}/"
    serving = await site.start()
    await page.route(elsewhere, lambda route: route.continue_())
    async with (
        page.expect_event("requestfailed", lambda asked: asked.method == "POST" and asked.is_navigation_request()),
        page.expect_event(
            "requestfailed", lambda asked: asked.method == "POST" and not asked.is_navigation_request()
        ),
    ):
        await page.goto(elsewhere)
    assert len(list(backend.folder.iterdir())) == 2
    assert ["server-stub" in await frame.content() for frame in page.frames] == [False] * 3
    site.stop()
    await serving


@WITHOUT_A_BROWSER
async def test_a_name_that_was_rebound_gets_nothing(backend: Backend, client: httpx.AsyncClient) -> None:
    """The Host must be localhost, the host of the stub, or an address, which no DNS can point elsewhere."""
    async with client:
        for host in ("evil.example", "localhost.evil.example", "evil.example:80", "127.0.0.1.evil.example", "[", ""):
            for method in ("GET", "POST"):
                answer = await client.request(method, "/state", headers={"host": host})
                assert answer.status_code == 421, host
        for host in ("localhost", "LOCALHOST:8025", "127.0.0.1:1", "[::1]:8025", "192.0.2.1"):
            assert (await client.get("/state", headers={"host": host})).status_code == 200, host
    named = SameOriginOnly(
        web.application(web.Web(backend.store, backend.mailbox, PEOPLE, backend.misbehaviour), "stub.lan"), "stub.lan"
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(named), base_url="http://stub.lan:8025") as asking:
        assert (await asking.get("/state")).status_code == 200


@WITHOUT_A_BROWSER
async def test_every_answer_has_the_strict_policy(backend: Backend, client: httpx.AsyncClient) -> None:
    """Pages, files, data and errors; a mail's HTML has a stricter one of its own."""
    backend.deliver(made_mail(html="<p>x</p>"))
    strict = {
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-src 'self'",
        "img-src 'self' data:", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    }  # fmt: skip
    mails_own = {
        "sandbox", "default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "form-action 'none'",
        "base-uri 'none'", "frame-ancestors 'self'",
    }  # fmt: skip
    files = ["/", *(f"/{path.name}" for path in web.FILES.glob("*.*") if path.name != "index.html")]
    async with client:
        for path in (*files, "/state", "/people", "/presets", "/mail/00000001", "/nothing", "/mail/9", "/mail/delete",
                     "/mail/..%2Fqueue", "/queue/1", "/mail/00000001/html"):  # fmt: skip
            for headers in ({}, {"host": "evil.example"}):
                answer = await client.get(path, headers=headers)
                own = path.endswith("/html") and not headers
                assert set(answer.headers["content-security-policy"].split("; ")) == (mails_own if own else strict)
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["x-dns-prefetch-control"] == "off"
                assert answer.headers["cache-control"] == "no-store"
                assert "Traceback" not in answer.text
        page_text = (await client.get("/")).text
    assert re.findall(r'(?:href|src)="(?![/#][a-z])', page_text) == []


@WITHOUT_A_BROWSER
async def test_mails_are_asked_for_by_their_number_alone(backend: Backend, client: httpx.AsyncClient) -> None:
    """No path leads out of the folder of mails, neither to read nor to delete."""
    outside = backend.folder.with_name("secret.eml")
    outside.write_bytes(b"Subject: secret\r\n\r\n")
    async with client:
        for number in ("..%2Fsecret", "%2e%2e%2fsecret", "..%5Csecret", "%00"):
            assert (await client.get(f"/mail/{number}")).status_code == 404, number
            await client.post(f"/mail/{number}/delete")
    assert backend.mailbox.read("../secret", 10) is None
    assert backend.mailbox.delete(["../secret"]) == 0
    assert outside.exists()
