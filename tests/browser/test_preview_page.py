"""The page of previews in a real browser: every kind and language, at both widths, in both colours, made anew."""

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from mail_sender.preview import lenient_config
from mail_sender.preview.page import Previews
from mail_sender.preview.server import Server, listen
from mail_sender.templating.kinds import KINDS
from mail_sender.templating.template_set import built_in
from tests.support import configs
from tests.support.pictures import keep_picture

pytestmark = pytest.mark.debian("chromium-headless-shell", "fonts-dejavu-core")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the operator's folder of templates, empty as yet."""
    found = tmp_path / "templates"
    found.mkdir()
    return found


@pytest.fixture
def server(tmp_path: Path, folder: Path) -> Iterator[Server]:
    """Serve the previews of a configuration with that folder."""
    path = configs.sender(tmp_path, templates={"override_path": folder})
    with listen(0, Previews(lambda: lenient_config.read(path))) as found:
        thread = threading.Thread(target=found.serve)
        thread.start()
        yield found
        found.stop()
        thread.join()


@pytest.fixture
def origin(server: Server) -> str:
    """Let the page talk to the server alone."""
    return server.url.rstrip("/")


async def test_every_kind_stands_there_in_every_language(page: Page) -> None:
    """Headers, text and HTML of each, and nothing that the browser complains of."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    await page.goto("/")
    for kind in KINDS:
        assert await page.get_by_role("heading", name=kind, exact=True).is_visible()
        for language in built_in().wordings:
            mail = page.get_by_role("article", name=f"{kind} in {language}", exact=True)
            assert await mail.get_by_text("ellie@example.com", exact=True).count() == 1
            assert await mail.locator("pre").inner_text() != ""
            assert await mail.locator("iframe").count() == 1
    await (
        page.frame_locator("iframe[title='credential_reset_v1 in en, HTML']")
        .get_by_text("Reset cred")
        .first.wait_for()
    )
    await keep_picture(page, "previews")
    assert complaints == []


async def test_width_and_colours_are_switched_for_all_mails(page: Page) -> None:
    """A phone's width, and what a mail looks like in dark mode, without the system being dark; a reload keeps both."""
    await page.goto("/")
    frame = page.get_by_role("article", name="credential_reset_v1 in de", exact=True).locator("iframe")
    card = page.frame_locator("iframe[title='credential_reset_v1 in de, HTML']").locator(".card")
    await card.wait_for()
    wide = await frame.bounding_box()
    await page.get_by_label("phone").check()
    await page.get_by_label("dark").check()
    await page.reload()
    await card.wait_for()
    narrow = await frame.bounding_box()
    assert wide
    assert narrow
    assert (wide["width"] > 700, narrow["width"] < 400) == (True, True)
    await expect(page.get_by_label("dark")).to_be_checked()
    await expect(frame).to_have_attribute("src", re.compile(r"\?dark$"))
    await keep_picture(page, "previews-phone-dark")
    await page.get_by_label("light").check()
    await expect(frame).to_have_attribute("src", re.compile(r"\?light$"))


async def test_one_language_is_chosen_and_kept(page: Page) -> None:
    """Also in later windows; when the page no longer has it, all languages are shown."""
    await page.goto("/")
    mails = page.get_by_role("article")
    assert await mails.count() == len(KINDS) * len(built_in().wordings)
    await page.get_by_label("Language").select_option(label="German (de)")
    await keep_picture(page, "previews-german")
    await page.evaluate("sessionStorage.clear()")
    await page.reload()
    names = [await mail.get_attribute("aria-label") for mail in await mails.all()]
    assert names == [f"{kind} in de" for kind in sorted(KINDS)]
    await page.evaluate("localStorage.setItem('language', 'tlh')")
    await page.reload()
    assert await mails.count() == len(KINDS) * len(built_in().wordings)


RIGHTMOST = "Math.max(...[...document.querySelectorAll('article')].map(mail => mail.getBoundingClientRect().right))"


@pytest.mark.parametrize(("width", "label", "colours"), [(390, "phone", "dark"), (1280, "desktop", "light")])
async def test_the_page_starts_as_the_browser_is_and_every_mail_is_in_sight(
    page: Page, width: int, label: str, colours: Literal["dark", "light"]
) -> None:
    """In its colours and for its width; mails that do not fit beside each other stand below each other."""
    await page.set_viewport_size({"width": width, "height": 900})
    await page.emulate_media(color_scheme=colours)
    await page.goto("/")
    await expect(page.get_by_label(label)).to_be_checked()
    await expect(page.get_by_label(colours)).to_be_checked()
    await expect(page.locator("iframe").first).to_have_attribute("src", re.compile(rf"\?{colours}$"))
    assert await page.evaluate(RIGHTMOST) <= width


async def test_a_reload_shows_what_the_files_are_now_and_a_fault_as_a_sentence(page: Page, folder: Path) -> None:
    """Nothing is kept from the load before; where a template fails, its fault stands above the built-in mail."""
    text = folder / "test_message_v1/body.txt.j2"
    text.parent.mkdir()
    mail = page.get_by_role("article", name="test_message_v1 in en", exact=True)
    text.write_text("First words.\n")
    await page.goto("/")
    assert await mail.locator("pre").inner_text() == "First words.\n"
    text.write_text("Second words.\n")
    await page.reload()
    assert await mail.locator("pre").inner_text() == "Second words.\n"
    text.write_text("line one\n{{ 1 / 0 }}\n")
    await page.reload()
    assert "body.txt.j2, line 2, failed" in await mail.get_by_role("alert").inner_text()
    assert "This is a test message" in await mail.locator("pre").inner_text()


async def test_what_an_operator_writes_into_a_mail_runs_nothing(page: Page, folder: Path) -> None:
    """A mail is shown in a frame without scripts, and loads nothing from anywhere."""
    (folder / "test_message_v1").mkdir()
    script = "<script>document.body.textContent = 'owned'</script>"
    image = '<img src="http://192.0.2.1/x.png">'
    (folder / "test_message_v1/body.html.j2").write_text(f"<p>Here</p>{script}{image}")
    await page.goto("/mail/test_message_v1/en.html")
    assert await page.locator("body").inner_text() == "Here"


async def test_a_configuration_that_cannot_be_used_is_reported_on_the_page(
    page: Page, folder: Path, tmp_path: Path
) -> None:
    """The sentence that the command line would say, in place of the mails."""
    (folder / "wording").mkdir()
    (folder / "wording/en.toml").write_text("no toml at all")
    await page.goto("/")
    assert "wording/en.toml: is not TOML" in await page.get_by_role("alert").inner_text()
    configs.change(tmp_path / "mail-sender", templates={"override_path": tmp_path / "elsewhere"})
    await page.reload()
    assert "no such folder" in await page.get_by_role("alert").inner_text()
    await page.goto("/mail/test_message_v1/en.html")
    assert "no such folder" in await page.locator("body").inner_text()


@pytest.mark.parametrize(
    ("request_line", "host", "status"),
    [
        ("GET / HTTP/1.0", None, "200"),
        ("GET / HTTP/1.1", None, "400"),
        ("GET / HTTP/1.1", "evil.example.com", "421"),
        ("GET /mail/test_message_v1/en.html HTTP/1.1", "evil.example.com:{port}", "421"),
        ("GET / HTTP/1.0", "127.0.0.1:{port}\r\nHost: evil.example.com", "400"),
        ("GET / HTTP/1.1", "127.0.0.1:{port}\r\nHost: evil.example.com", "400"),
        ("GET / HTTP/1.1", "localhost:{port}", "200"),
        ("HEAD / HTTP/1.1", "127.0.0.1:{port}", "200"),
        ("GET /../preview_page.py HTTP/1.1", "127.0.0.1:{port}", "404"),
        ("GET /page.html.j2 HTTP/1.1", "127.0.0.1:{port}", "404"),
        ("GET /mail/nonsense/en.html HTTP/1.1", "127.0.0.1:{port}", "404"),
        ("GET /mail/test_message_v1/xx.html HTTP/1.1", "127.0.0.1:{port}", "404"),
        ("GET /mail/test_message_v1/en.pdf HTTP/1.1", "127.0.0.1:{port}", "404"),
        ("POST / HTTP/1.1", "127.0.0.1:{port}", "405"),
    ],
)
def test_only_this_machine_is_answered_under_its_own_name(
    server: Server, request_line: str, host: str | None, status: str
) -> None:
    """Another Host (DNS rebinding), another path, another method: a refusal, each with a policy; never a traceback.

    A request without one host name is malformed (RFC 9112, section 3.2): it gets a fixed sentence and no page.
    """
    assert server.address[0] == "127.0.0.1"
    named = f"Host: {host.format(port=server.address[1])}\r\n" if host else ""
    with socket.create_connection(server.address, timeout=10) as connection:
        connection.sendall(f"{request_line}\r\n{named}Connection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.split()[1] == status
    if status == "400":
        assert "content-type: text/plain" in head.lower()
        return
    assert "content-security-policy: " in head.lower()
    if request_line.startswith("HEAD"):
        assert body == ""
