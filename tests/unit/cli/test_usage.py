"""Usage errors: a sentence that names what is wrong and what to do, in no library's words."""

import sys

import pytest
import typer

from mail_sender.cli import app

WRONG = {
    # options
    "--nonsense": "`mail-sender` has no option --nonsense; `mail-sender --help` lists its options",
    "-x": "`mail-sender` has no option -x; `mail-sender --help` lists its options",
    "--versoin": "did you mean --version?",
    "queue list --stauts failed": "`mail-sender queue list` has no option --stauts; did you mean --status?",
    "queue list -c FILE": "mail-sender -c FILE queue list",
    "queue retry --mail-sender-config FILE": "mail-sender --mail-sender-config FILE queue retry",
    "template show -d": "mail-sender -d template show",
    "--status failed queue list": "--status belongs after the command, as in `mail-sender queue list --status STATUS`",
    "queue --yes resend 123456": "--yes belongs after the command, as in `mail-sender queue resend --yes`",
    "--once run": "--once belongs after the command, as in `mail-sender run --once`",
    # values
    "-c": "-c needs a value: write it after -c",
    "queue list --limit": "--limit needs a value",
    "--debug=yes": "--debug takes no value: write it alone",
    "queue list --limit many": "--limit takes a whole number from 0 to 1000000000, not 'many'",
    "queue list --limit -1": "--limit takes a whole number from 0 to 1000000000, not '-1'",
    "queue list --limit 1.5": "--limit takes a whole number from 0 to 1000000000, not '1.5'",
    f"queue list --limit {10**9 + 1}": "--limit takes a whole number from 0 to 1000000000, not '1000000001'",
    f"queue list --limit {'9' * 5000}": f"not '{'9' * 60}…'",
    "template preview --serve 65536": "--serve takes a whole number from 0 to 65535, not '65536'",
    "queue list -o xml": "--output takes text or json, not 'xml'",
    "queue list --status hedl": "unknown or held, not 'hedl'; did you mean held?",
    "queue list --status sent --status x": "--status takes queued, processing, sent,",
    "template show KIND --part html5": "--part takes subject, text or html, not 'html5'; did you mean html?",
    # commands
    "quue": "`mail-sender` has no command 'quue'; did you mean `mail-sender queue`?",
    "Queue": "did you mean `mail-sender queue`?",
    "restart": "`mail-sender` has no command 'restart'; did you mean `mail-sender status`?",
    "resend": "did you mean `mail-sender queue resend`?",
    "show": "did you mean `mail-sender queue show`, `mail-sender template show` or `mail-sender config show`?",
    "queue lst": "`mail-sender queue` has no command 'lst'; did you mean `mail-sender queue list`?",
    "queue --": "`mail-sender queue` needs a command: list, show, retry, flush, abandon or resend",
    # arguments
    "queue show": "`mail-sender queue show` needs ID: the message's id, or its start",
    "template export": "`mail-sender template export` needs FOLDER: the target",
    "queue show 123456 abcdef": "`mail-sender queue show` takes only ID: leave out abcdef",
    "queue list a b": "`mail-sender queue list` takes no argument: leave out a b",
    # what belongs to no command
    "-t a@example.com queue list": "-t does nothing beside `queue`: leave out one of the two",
    "-t a@example.com run --once": "-t does nothing beside `run`: leave out one of the two",
    "--dry-run /tmp template list": "--dry-run does nothing beside `template`: leave out one of the two",
    # what a terminal would obey
    "no\x1b[2J": "`mail-sender` has no command 'no\\x1b[2J'",
    "--no\x1b[2J": "has no option --no\\x1b[2J",
    "queue show 123456 \x1b": "leave out \\x1b",
    "queue list -o \x1b": "not '\\x1b'",
}  # fmt: skip
FOREIGN = ("Input should", "Value error", "Error:", "Usage:", "Invalid", "No such", "Got ", "Missing", "Traceback")


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Run the command line, and return what it exits with."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/mail-sender", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.main()
    return ended.value.code


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_command_line_is_one_sentence_that_says_what_to_do(
    arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line on standard error, nothing on standard output."""
    assert run(arguments.split(), monkeypatch) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("mail-sender: ")
    assert WRONG[arguments] in err
    assert [words for words in FOREIGN if words in err] == []
    assert "\x1b" not in err


@pytest.mark.parametrize("group", ["queue", "template"])
def test_a_group_alone_shows_its_help(
    group: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was no command, so the code is 2."""
    assert run([group], monkeypatch) == 2
    assert f"Usage: mail-sender {group}" in capsys.readouterr().err


def test_ctrl_c_at_a_question_changes_nothing_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So does an input that ends there."""

    def abort(**_: object) -> None:
        raise typer.Abort

    monkeypatch.setattr(app, "app", abort)
    assert run(["queue", "resend", "123456"], monkeypatch) == 1
    assert capsys.readouterr().err == "mail-sender: stopped; nothing was changed\n"
