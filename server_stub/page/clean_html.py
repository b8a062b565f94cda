"""Removes active elements from a mail's HTML: words, tables, pictures and style stay.

The sandboxed frame and its Content-Security-Policy make a hostile mail harmless: no script runs, and nothing is
loaded. But no policy stops a browser from looking up and connecting to the hosts that `<link rel=preconnect>` or an
inner frame names (Chromium does both, seen), and a link that is followed would leave an error in the frame. So only
listed elements and attributes stay, and a link's title shows its address.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from html.parser import HTMLParser

# The frame that shows it has an opaque origin, no scripts and no way out; this is what its document may load.
POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
KEPT = {
    "a", "abbr", "address", "article", "aside", "b", "bdi", "bdo", "blockquote", "body", "br", "caption", "center",
    "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption",
    "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "i", "img",
    "ins", "kbd", "li", "main", "mark", "nav", "ol", "p", "pre", "q", "s", "samp", "section", "small", "span",
    "strike", "strong", "style", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time",
    "title", "tr", "tt", "u", "ul", "var", "wbr",
}  # fmt: skip
# Elements that go with all that is in them; of other unknown ones the words stay.
SILENT = {
    "audio", "canvas", "iframe", "math", "noscript", "object", "script", "select", "svg", "template", "textarea",
    "video",
}  # fmt: skip
ATTRIBUTES = {
    "abbr", "align", "alt", "aria-hidden", "aria-label", "bgcolor", "border", "cellpadding", "cellspacing", "class",
    "color", "colspan", "dir", "face", "height", "id", "lang", "role", "rowspan", "scope", "size", "span", "start",
    "style", "title", "type", "valign", "width",
}  # fmt: skip
EMPTY = {"br", "col", "hr", "img", "wbr"}
Attributes = Iterable[tuple[str, str | None]]


def clean(html: str, pictures: dict[str, str]) -> str:
    """Return harmless HTML; `pictures` are `data:` addresses by Content-ID (RFC 2392)."""
    cleaner = _Cleaner(pictures)
    try:
        # Not closed: what is unfinished at the end is left out, as a browser leaves out an open comment. Closing
        # would look for the end of each unfinished thing again, which takes minutes where they are many.
        cleaner.feed(f"{html}\n")
    except AssertionError:  # the parser's way of giving up on a broken declaration
        cleaner.written.append("<p>(The rest of this HTML cannot be read; see the source.)</p>")
    return "".join(["<!doctype html>\n", *cleaner.written])


class _Cleaner(HTMLParser):
    """Writes anew what it reads, so that nothing is passed on that it did not understand."""

    def __init__(self, pictures: dict[str, str]) -> None:
        super().__init__(convert_charrefs=True)
        self.written: list[str] = []
        self._pictures = pictures
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT and not (self._silent and tag != self._silent[0]):
            self._silent.append(tag)
        elif not self._silent and tag in KEPT:
            self.written.append(f"<{tag}{''.join(self._attributes(tag, attrs))}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in SILENT:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._silent and tag == self._silent[0]:
            self._silent.pop()
        elif not self._silent and tag in KEPT - EMPTY:
            self.written.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            # Style is raw text, which the parser ends where a browser does; everything else is escaped.
            self.written.append(data.replace("</", "<\\/") if self.cdata_elem == "style" else escape(data))

    def _attributes(self, tag: str, attrs: Attributes) -> Iterable[str]:
        seen = {name: value or "" for name, value in attrs}
        kept = {name: value for name, value in seen.items() if name in ATTRIBUTES}
        if tag == "a" and "href" in seen:
            kept["title"] = seen["href"]
        if tag == "img":
            kept["src"] = self._source(seen.get("src", ""))
        return (f' {name}="{escape(value)}"' for name, value in kept.items())

    def _source(self, address: str) -> str:
        """Return the picture itself for `cid:` and `data:`, nothing for what lies elsewhere."""
        if address.lower().startswith("cid:"):
            return self._pictures.get(address[4:], "")
        return address if address.lower().startswith("data:image/") else ""
