"""The words: each thing has one name, the field's, in code, documents, logs and output (CONTRIBUTING, "Words")."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.repo import checkout

# What stood in the code before it had the field's words. A part of a name, between underscores or capitals.
NOT_IN_NAMES = frozenset(
    [
        "letter",
        "letters",
        "lane",
        "lanes",
        "desk",
        "inbox",
        "untold",
        "specimen",
        "specimens",
        "scribe",
        "doorkeeper",
        "announcement",
        "hands",
        "voice",
        "voices",
        "moment",
        "moments",
        "trial",
        "trials",
        "trouble",
        "troubles",
        "told",
        "tell",
        "tells",
        "weather",
    ]
)
# The whole name: what is fine as a part of another one, or as another kind of word.
NOT_A_NAME = frozenset({"look", "Look", "order", "Order", "reach", "Reach", "Line", "Stages", "Post", "Pass", "say"})

NOT_IN_PROSE = re.compile(
    r"""
    \blanes?\b | \bletters?\b(?!\s(and|or)\sdigits|,\sdigits|\sbeyond\sASCII) | \bunder\sway\b | \binbox\b | \buntold\b | \bspecimens?\b
    | \bscribe\b | \bdoorkeeper\b | \bthe\sweather\b | \bdesk\b | \btroubles?\b | \btrials?\b | \bwire\sdocument\b
    | \bway\sto\sthe\srelay\b | \bway\s(is\s)?shut\b | \bthe\s(server|relay)\s(is|was|has\sbeen|must\sbe)\stold\b | \bserver\stold\b
    | \bnot\stold\b | \boperator(s|'s)?\sorders?\b | \ban\sorder\b | \bof\sno\suse\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Where an old word stands on purpose: the table of what was renamed, this list, and words of relays.
EXCEPT = {
    "CHANGELOG.md",
    "tests/repo/test_words.py",
    "CONTRIBUTING.md",
    "mail_sender/ledger/schema/0002.sql",
    "mail_sender/relay/known_refusals.toml",
}
PROSE = {".md", ".py", ".toml", ".sql", ".sh", ".js", ".html", ".css"}
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def test_no_name_in_the_code_is_one_of_the_old_words() -> None:
    """A module, class, function, argument or variable is called as the glossary says."""
    found = [f"{file}:{line}: {name}" for file in checkout.modules() for line, name in _names(file) if _is_old(name)]
    assert found == []


def test_no_text_for_people_has_one_of_the_old_words() -> None:
    """Documents, docstrings, comments, messages: the same thing has the same name everywhere."""
    found = []
    for file in checkout.files():
        if str(file) in EXCEPT or file.suffix not in PROSE or file.parts[:2] == ("tests", "wire"):
            continue
        for number, line in enumerate((checkout.ROOT / file).read_text().splitlines(), 1):
            found += [f"{file}:{number}: {match[0]}" for match in NOT_IN_PROSE.finditer(line)]
    assert found == []


def test_the_check_of_words_can_fail() -> None:
    """An old word is found in a name of any form, and in a sentence."""
    assert all(map(_is_old, ("letter_config", "LetterConfig", "_letter", "LETTER", "lane", "Order", "look")))
    assert not any(map(_is_old, ("look_again", "reorder", "ordered", "quoted", "mail", "command", "foretell")))
    assert NOT_IN_PROSE.search("a letter that waits")
    assert not NOT_IN_PROSE.search("letters and digits")


def _is_old(name: str) -> bool:
    return name in NOT_A_NAME or not NOT_IN_NAMES.isdisjoint(word.lower() for word in WORD.findall(name))


def _names(file: Path) -> Iterator[tuple[int, str]]:
    if str(file) in EXCEPT:
        return
    yield from ((1, part) for part in (*file.parts[:-1], file.stem))
    for node in ast.walk(ast.parse((checkout.ROOT / file).read_text())):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name if not name.startswith("test_") else "test"
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield node.lineno, name
