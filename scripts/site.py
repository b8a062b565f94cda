"""Hooks of MkDocs (mkdocs.yml): which files of the repository are the site, and what their links lead to there.

The pages are those of `docs/`, and four files of the top level. The files of `examples/` and the licence are part
of the site as they are. Pages link to each other as files of the repository, so that they can be read there, too;
here each link gets the file's place in the site. A link to a file that is no part of it stays as it is, and MkDocs
refuses it.
"""

import html
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).resolve().parents[1]
_TOP = {
    "README.md": "index.md",
    "SECURITY.md": "reporting.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "LICENSE.txt",
}
_EXAMPLES = "examples/index.md"
_SOURCES = {uri: name for name, uri in _TOP.items()}
_LINK = re.compile(r"(?P<before>\]\()(?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?P<after>\))")
_TRANSITION = re.compile(r"^\s*(\S+) --> (\S+): (.+)$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Show a diagram of states as a table: what draws diagrams would have to be fetched from another host."""
    fence = {"name": "mermaid", "class": "states", "format": states_table}
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is part of the site and not of `docs/`."""
    found = (path for path in (_ROOT / "examples").rglob("[!.]*") if path.is_file())
    examples = sorted(str(path.relative_to(_ROOT)) for path in found)
    for uri, name in [*_SOURCES.items(), *zip(examples, examples, strict=True)]:
        files.append(File.generated(config, uri, abs_src_path=str(_ROOT / name)))
    listed = (f"- [{name}]({name.removeprefix('examples/')})\n" for name in examples)
    files.append(File.generated(config, _EXAMPLES, content=f"# Examples\n\n{''.join(listed)}"))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links to files of the repository into links to their places in the site."""
    if page.file.src_uri == _EXAMPLES:
        return markdown
    return with_links_of_the_site(markdown, page.file.src_uri)


def with_links_of_the_site(markdown: str, uri: str) -> str:
    """Return a page's text; `uri` is the page's place in the site."""
    return _LINK.sub(lambda link: _replaced(link, uri), markdown)


def _replaced(link: re.Match[str], uri: str) -> str:
    target = link["target"]
    if re.match(r"[a-z]+:", target):
        return link[0]
    here = posixpath.dirname(_SOURCES.get(uri, f"docs/{uri}"))
    there = _in_site(posixpath.normpath(posixpath.join(here, target)))
    if there is None:
        return link[0]
    relative = posixpath.relpath(there, posixpath.dirname(uri) or ".")
    return f"{link['before']}{relative}{link['anchor'] or ''}{link['after']}"


def _in_site(path: str) -> str | None:
    """Return the place in the site of a file of the repository, or of a folder of examples; None if it has none."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path == "examples" or path.startswith("examples/"):
        return _EXAMPLES if (_ROOT / path).is_dir() else path
    return _TOP.get(path)


def states_table(source: str, *_: object, **__: object) -> str:
    """Return a diagram's transitions as a table; superfences passes more than the source, which is not needed."""
    rows = [
        "".join(f"<td>{cell}</td>" for cell in (_state(before), _state(after), html.escape(when)))
        for before, after, when in _TRANSITION.findall(source)
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><thead><tr><th>from</th><th>to</th><th>when</th></tr></thead><tbody>{body}</tbody></table>"


def _state(name: str) -> str:
    return "(new)" if name == "[*]" else f"<code>{html.escape(name)}</code>"
