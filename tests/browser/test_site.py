"""The documentation as a site: `make docs` builds it, no link is broken, and it asks no other host for anything."""

import re
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.async_api import Page, expect

from scripts import site as hooks
from tests.repo import checkout
from tests.support.pictures import keep_picture

FETCHED = re.compile(r'<(?:script|img|iframe|source)[^>]* src="?([^" >]+)|<link[^>]* href="?([^" >]+)|url\(([^)]+)\)')


@pytest.fixture(scope="module")
def site() -> Path:
    """Build it as a developer does; what MkDocs finds wrong is shown."""
    done = checkout.make("docs")
    assert done.returncode == 0, f"make docs:\n{done.stdout}{done.stderr}"
    assert "Documentation built" in done.stderr, "it is quiet, and MkDocs counts no warning that it does not show"
    return checkout.ROOT / ".cache/site"


@pytest.fixture
def origin(site: Path) -> Iterator[str]:
    """Serve the site as any web server would."""
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(site))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_every_page_is_in_the_site_and_fetches_nothing_from_elsewhere(site: Path) -> None:
    """A reader's address is nobody else's business, and a network without the internet can read it."""
    pages = {path.stem for path in (checkout.ROOT / "docs").glob("*.md")}
    assert pages | {"index", "reporting", "contributing", "changelog"} <= {path.stem for path in site.glob("*.html")}
    found = {
        f"{path.relative_to(site)}: {address}"
        for path in (*site.rglob("*.html"), *site.rglob("*.css"))
        for address in map("".join, FETCHED.findall(path.read_text()))
        if re.match(r"[\"']?(?:\w+:)?//", address)
    }
    assert found == set()


@pytest.mark.debian("chromium-headless-shell", "fonts-dejavu-core")
async def test_a_browser_that_reads_and_searches_asks_no_other_host(page: Page, origin: str) -> None:
    """The fixture `page` fails the test if a script of the site asks anybody else."""
    await page.goto(f"{origin}/index.html")
    await page.get_by_role("link", name="Delivery promises").first.click()
    await expect(page.get_by_role("heading", name="The dot protocol")).to_be_visible()
    states = page.get_by_role("table").filter(has_text="cut at the dot again, or refused after a cut")
    await expect(states.get_by_role("columnheader")).to_have_text(["from", "to", "when"])
    await expect(page.locator(".md-search-result__meta")).to_have_text("Type to start searching")
    await page.get_by_placeholder("Search").press_sequentially("greylisting")
    await expect(page.get_by_role("link").filter(has_text="greylisting").first).to_be_visible()
    await keep_picture(page, "site")


@pytest.mark.parametrize(
    ("uri", "link", "expected"),
    [
        ("index.md", "[a](docs/log.md#x)", "[a](log.md#x)"),
        ("alerts.md", "[a](../examples/alerts/notify.sh)", "[a](examples/alerts/notify.sh)"),
        ("index.md", "[a](examples/alerts)", "[a](examples/index.md)"),
        ("running.md", "[a](../README.md)", "[a](index.md)"),
        ("running.md", "[a](log.md), [b](#x), [c](https://x.example/a.md)", None),
        ("running.md", "[a](../mail_sender/log.py)", None),
    ],
)
def test_links_between_files_of_the_repository_lead_to_their_places_in_the_site(
    uri: str, link: str, expected: str | None
) -> None:
    """What is no part of the site is left as it is, so that MkDocs refuses it."""
    assert hooks.with_links_of_the_site(link, uri) == (expected or link)
