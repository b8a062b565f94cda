"""Debian's Chromium, driven by Playwright: the fixture `page` for tests that look at a page as a person does.

A test module overrides the fixture `origin` with the one origin that its pages may talk to; relative addresses count
from there. Every request elsewhere is stopped before it leaves, and fails the test. A test that uses `page` is
marked `debian("chromium", "fonts-dejavu-core")`.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Route, async_playwright

# Playwright itself turns off the sandbox, the first run, background networking, updates and sync.
_ARGUMENTS = ["--disable-gpu", "--disable-quic"]


@pytest.fixture
def origin() -> str | None:
    """The only origin that `page` may talk to, as `http://127.0.0.1:8025`; None: no origin at all."""
    return None


@pytest.fixture
def strayed() -> list[str]:
    """The addresses elsewhere that `page` asked for; what is still in it at the end fails the test."""
    return []


@pytest.fixture
async def page(origin: str | None, strayed: list[str], tmp_path: Path) -> AsyncIterator[Page]:
    """A fresh page of a fresh browser, which keeps what it writes below tmp_path."""

    async def keep_inside(route: Route) -> None:
        if origin and _origin_of(route.request.url) == origin:
            await route.continue_()
        else:
            strayed.append(route.request.url)
            await route.abort()

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=_ARGUMENTS,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        )
        page = await browser.new_page(base_url=origin, service_workers="block", ignore_https_errors=True)
        await page.route("**/*", keep_inside)
        yield page
        await browser.close()
    assert not strayed, f"the page asked for addresses outside {origin}: {strayed}"


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
