"""The blocks of the pages: what stands between fences in the README and in `docs/`, and what the page says that it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.repo import checkout

_FENCE = re.compile(r"(?P<indent> *)```(?P<language>\S*)(?P<rest>.*)")


@dataclass(frozen=True)
class Block:
    """One block: where it begins, the language after its fence, and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Return the pages that people follow."""
    return ["README.md", *sorted(f"docs/{page.name}" for page in (checkout.ROOT / "docs").glob("*.md"))]


def blocks(*languages: str) -> list[Block]:
    """Return the blocks of all pages that are in one of the languages."""
    return [block for page in pages() for block in of_page(page) if block.language in languages or not languages]


def under(page: str, language: str) -> list[str]:
    """Return the texts of a page's blocks in one language, for tests that run them."""
    return [block.text for block in of_page(page) if block.language == language]


def of_page(page: str) -> Iterator[Block]:
    """Yield a page's blocks. An indented one, which has no fence, has no language."""
    opened: tuple[int, str, int] | None = None
    lines: list[str] = []
    before = ""
    for number, line in enumerate([*(checkout.ROOT / page).read_text().splitlines(), "end"], 1):
        fence = _FENCE.fullmatch(line)
        if opened:
            if fence and not fence["language"]:
                yield Block(page, opened[0], opened[1], "".join(f"{one[opened[2] :]}\n" for one in lines))
                opened = None
            else:
                lines.append(line)
        elif fence:
            opened, lines = (number, fence["language"], len(fence["indent"])), []
        elif line.startswith("    ") and not before and not line.strip().startswith(("-", "*", "|")):
            yield Block(page, number, "", line)
        before = line
