"""Debian's Chromium, driven by Playwright: the fixture `page` for tests that look at a page as a person does.

A test module overrides the fixture `origin` with the one origin that its pages may talk to; relative addresses count
from there. Every request elsewhere is stopped before it leaves, and fails the test. A test that uses `page` is
marked `debian("chromium-headless-shell", "fonts-dejavu-core")`; the browser belongs to the session's event loop, so such tests run there,
and async fixtures of theirs say `loop_scope="session"`. The browser ends with this folder's tests: it costs a part of a
core for as long as it lives, even with no page open.
"""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, async_playwright, expect

# Playwright itself turns off the sandbox, the first run, background networking, updates and sync.
expect.set_options(timeout=30_000)  # milliseconds; a deadline, as everywhere here, and no measure of speed
_ARGUMENTS = ["--disable-gpu", "--disable-quic"]


@pytest.fixture
def origin() -> str | None:
    """The only origin that `page` may talk to, as `http://127.0.0.1:8025`; None: no origin at all."""
    return None


@pytest.fixture
def strayed() -> list[str]:
    """The addresses elsewhere that `page` asked for; what is still in it at the end fails the test."""
    return []


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """One browser for all tests of this folder, which keeps what it writes in a folder of its own."""
    home = str(tmp_path_factory.mktemp("browser"))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium-headless-shell",
            args=_ARGUMENTS,
            env={"HOME": home, "PATH": "/usr/bin:/bin", "TMPDIR": home},
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, origin: str | None, strayed: list[str]) -> AsyncIterator[Page]:
    """A fresh page, which knows nothing of those before it."""

    async def keep_inside(route: Route) -> None:
        if origin and _origin_of(route.request.url) == origin:
            await route.continue_()
        else:
            strayed.append(route.request.url)
            await route.abort()

    page = await browser.new_page(base_url=origin, service_workers="block", ignore_https_errors=True)
    await page.route("**/*", keep_inside)
    yield page
    await page.context.close()
    assert not strayed, f"the page asked for addresses outside {origin}: {strayed}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests with a page run in the event loop that the browser belongs to."""
    for item in items:
        if "page" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
