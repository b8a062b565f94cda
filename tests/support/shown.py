"""What a page shows after each prompt, and whether a program prints that.

A word with a digit in it stands for any such word (times, ports, ids, sizes), and a line `...` for any lines.
"""

import re

from tests.repo import blocks


def after_prompts(page: str) -> list[tuple[str, str, str]]:
    """Return prompt, command and what is shown after it, in the page's sequence."""
    text = "".join(blocks.under(page, "console"))
    return re.findall(r"^([$#]) (.+)\n((?:(?![$#] ).*\n)*)", text, re.MULTILINE)


def is_like(shown: str, printed: str) -> bool:
    """Say whether a program prints what a page shows."""
    parts = map(re.escape, map(words, re.split(r"^\.\.\.$", shown, flags=re.MULTILINE)))
    return re.fullmatch(".*".join(parts), words(printed)) is not None


def words(text: str) -> str:
    """Return a text without what differs from one day to the next, or with the width of a terminal."""
    text = re.sub(r"\bnow\b", "0 s ago", text.replace("next now", "next in 0 s"))
    found = " ".join("#" if re.search(r"\d", word) else word for word in text.split())
    return re.sub(r"# (?:ms|s|min|h|d|kB|MB|GB|MiB)\b", "#", found)
