"""The steps of the schema: the senders of the version before go on beside them, so that an update needs no stop."""

import re
from pathlib import Path

from mail_sender.ledger.postgres import migrations

_NEW = re.compile(r"CREATE (TABLE|INDEX|UNIQUE INDEX) ")
_COLUMN = re.compile(r"ADD COLUMN \w+\s+[\w ]+?(?P<needed> NOT NULL)?(?P<default> DEFAULT \S+)?")


def adds_only(statement: str) -> bool:
    """Say whether a statement leaves what was there as it was, and asks no more of whoever writes a row."""
    if _NEW.match(statement):
        return "UNIQUE INDEX" not in statement
    table = re.fullmatch(r"ALTER TABLE \w+\s+(.*)", statement, re.DOTALL)
    columns = [_COLUMN.fullmatch(part.strip()) for part in table[1].split(",")] if table else [None]
    return all(column is not None and (not column["needed"] or column["default"]) for column in columns)


def test_each_step_after_the_first_one_only_adds() -> None:
    """A running sender of the version before knows neither the column nor the table, and is not disturbed by it."""
    folder = Path(migrations.__file__).with_name("schema")
    for file in sorted(folder.glob("*.sql"))[1:]:
        text = re.sub(r"--.*", "", file.read_text())
        for statement in filter(None, map(str.strip, re.split(r";$", text, flags=re.MULTILINE))):
            assert adds_only(re.sub(r"[ \t]+", " ", statement)), f"{file.name}: {statement}"


def test_what_takes_something_away_or_asks_for_more_is_seen() -> None:
    """Whether the rule sees it."""
    good = ["ALTER TABLE a\n ADD COLUMN b bigint NOT NULL DEFAULT 0,\n ADD COLUMN c text", "CREATE TABLE a (b text)"]
    bad = [
        "ALTER TABLE a ADD COLUMN b bigint NOT NULL",
        "ALTER TABLE a DROP COLUMN b",
        "ALTER TABLE a ADD COLUMN b text, ALTER COLUMN c SET NOT NULL",
        "CREATE UNIQUE INDEX a ON b (c)",
        "UPDATE a SET b = 1",
    ]
    assert [adds_only(one) for one in (*good, *bad)] == [True] * len(good) + [False] * len(bad)
