"""The browser fixture itself: it shows pages, and lets nothing out."""

import pytest
from playwright.async_api import Error, Page

pytestmark = pytest.mark.debian("chromium-headless-shell", "fonts-dejavu-core")


async def test_a_page_is_laid_out_and_its_script_runs(page: Page) -> None:
    """Chromium is a real one: it gives a heading a size and runs a script."""
    await page.set_content("<h1>Hello</h1><script>document.title = 'changed'</script>")
    box = await page.locator("h1").bounding_box()
    assert box
    assert box["height"] > 10
    assert await page.title() == "changed"


async def test_a_request_elsewhere_is_stopped_and_noted(page: Page, strayed: list[str]) -> None:
    """An address outside the origin is never asked for, and would fail the test if it stayed in the list."""
    with pytest.raises(Error, match="ERR_FAILED"):
        await page.goto("http://192.0.2.1/elsewhere")
    assert strayed == ["http://192.0.2.1/elsewhere"]
    strayed.clear()
