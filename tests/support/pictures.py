"""Pictures of pages, kept in `.cache/artefacts` for people to look at."""

from pathlib import Path

from playwright.async_api import Page

ARTEFACTS = Path(__file__).parents[2] / ".cache/artefacts"


async def keep_picture(page: Page, name: str) -> None:
    """Keep how the whole page looks, as a PNG of that name."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)
