"""A key of a TOML file is changed where it stands, and everything else stays as somebody wrote it."""

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.cli.init import toml_text
from mail_sender.cli.init.toml_text import CannotChange

TEXT = """\
# Ours since 2024.
token = "old"  # from Ellie
schedule = "* * * * * * *"

[relay]  # the new one
local_name = "idm.example.com"

[brand]
name = "Example"
"""


@pytest.mark.parametrize(
    ("key", "value", "line", "after"),
    [
        (("token",), "new", 'token = "new"', "# Ours since 2024."),
        (("mail_relay",), "smtps://r", 'mail_relay = "smtps://r"', 'schedule = "* * * * * * *"'),
        (("token_path",), "/t", 'token_path = "/t"', 'token = "old"  # from Ellie'),
        (("relay", "local_name"), "b", 'local_name = "b"', "[relay]  # the new one"),
        (("relay", "ca_path"), "/ca", 'ca_path = "/ca"', 'local_name = "idm.example.com"'),
        (("ledger", "path"), "/state", 'path = "/state"', "[ledger]"),
    ],
)
def test_a_key_is_set_where_it_belongs(key: tuple[str, ...], value: str, line: str, after: str) -> None:
    """On its line, or at the end of its table; the other lines are the same, with their comments."""
    lines = toml_text.changed(TEXT, {key: value}).splitlines()
    assert lines[lines.index(line) - 1] == after
    gone = [before for before in TEXT.splitlines() if before not in lines]
    assert gone == [before for before in TEXT.splitlines() if before.startswith(f"{key[-1]} =")]


def test_a_key_is_taken_out_and_nothing_else() -> None:
    """Its whole line goes; what was not there is not missed."""
    text = toml_text.changed(TEXT, {("token",): None, ("nothing",): None, ("none", "such"): None})
    assert text == TEXT.replace('token = "old"  # from Ellie\n', "")


@pytest.mark.parametrize(
    "text", ['token = """\nold\n"""\n', 'relay = { local_name = "a" }\n', "relay.local_name = 'a'\n"]
)
def test_what_does_not_stand_on_a_line_of_its_own_is_not_changed(text: str) -> None:
    """The result is read again: a file is never made that says something else, or nothing."""
    key = ("token",) if "token" in text else ("relay", "local_name")
    with pytest.raises(CannotChange, match=r"\.".join(key)):
        toml_text.changed(text, {key: "new"})


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_quoted_so_that_it_is_read_as_it_was(text: str) -> None:
    """A password may hold quotes, backslashes and control characters."""
    assert tomli.loads(toml_text.changed("", {("mail_password",): text})) == {"mail_password": text}
