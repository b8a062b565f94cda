"""Moves the style rules of a page into its elements: many mail programs ignore a style sheet."""

from functools import cache

import css_inline

from mail_sender.templating.sandbox import Fault, TooMuch

LARGEST_PAGE = 1024 * 1024
"""Characters of a page with its styles in place; a rule stands in each element that it is for."""


class BadStyle(Fault):
    """The style of a page cannot be read."""


def inlined(page: str) -> str:
    """Return the page; rules that depend on the reader's screen stay where they are. Raises `BadStyle`, `TooMuch`."""
    try:
        made = _inliner().inline(page)
    except (css_inline.InlineError, ValueError):
        raise BadStyle("its style cannot be read") from None
    if len(made) > LARGEST_PAGE:
        raise TooMuch(f"with its styles it makes more than {LARGEST_PAGE // 1024} KiB")
    return made


@cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
