"""A TOML file: how it is read, on which line each key stands, and what keeps it from being read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mail_sender.config.load import load
from mail_sender.errors import ConfigError, Exit
from tests.support.config_files import CLIENT, SENDER, Files, lines, only


def test_a_byte_order_mark_is_no_fault(files: Files) -> None:
    """An editor's mark at the beginning of a file is skipped, and lines keep their numbers."""
    files.write("\ufeff" + lines(SENDER), "\ufeff" + lines(CLIENT))
    assert load(files.client, files.sender).warnings == ()
    files.write("\ufeff" + lines({**SENDER, "token": "5"}))
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender)
    assert only(caught.value.faults).line == 1


BROKEN = [
    ("a = 1\nb = \n", 2, "not TOML"), ("a = 1\na = 2\n", 2, "not TOML"), ("token = eyJhbGciOi\n", 1, "not TOML"),
    ("a = \"x\n", 1, "no quote at its end"), ("a = 1\nb = \"x", 2, "no quote at its end"), ("a = 'x\n", 2, "no quote at"),
    ('a = "CORP\\svc"\n', 1, "backslash"), ('a = "C:\\Users"\n', 1, "backslash"), ("[a]\n[a]\n", 2, "there twice"),
    ("x = " + "[" * 5000, 1, ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "words"), BROKEN)
def test_a_syntax_error_is_reported_with_its_line(files: Files, text: str, line: int, words: str) -> None:
    """What is not TOML is one fault of its file, at the line where it stops making sense."""
    files.write(text)
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender)
    fault = only(caught.value.faults)
    assert fault.path == files.sender
    assert fault.line in {line, None} if "[[[" in text else fault.line == line
    assert words in fault.found


def test_a_missing_file_is_a_fault(files: Files) -> None:
    """Both files may be missing at once; that is exit code 78."""
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender)
    assert [(fault.path, fault.found) for fault in caught.value.faults] == [
        (files.client, "no such file"),
        (files.sender, "no such file"),
    ]
    assert caught.value.exit_code == Exit.BAD_CONFIG


def test_a_folder_in_place_of_a_file_is_explained(files: Files) -> None:
    """A container engine makes a folder where a mounted file is missing, which is said."""
    files.write(lines(SENDER))
    files.sender.unlink()
    files.sender.mkdir()
    with pytest.raises(ConfigError, match=r"is a folder; .*container engine"):
        load(files.client, files.sender)


def test_what_is_not_utf_8_is_reported_by_its_byte(files: Files) -> None:
    """A file in another encoding is one fault that says which byte."""
    files.write(lines(SENDER))
    files.sender.write_bytes(b'instance_display_name = "caf\xe9"\n')
    with pytest.raises(ConfigError, match="byte 28 is not UTF-8"):
        load(files.client, files.sender)


def test_an_unreadable_file_tells_whose_it_is_and_exits_77(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where reading is not permitted, owner, mode and our own uid are said, and the exit code is 77."""
    files.write(lines(SENDER))
    opened: Callable[..., object] = Path.open

    def refuse(path: Path, *args: object) -> object:
        if path == files.sender:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender)
    status = files.sender.stat()
    assert f"owner {status.st_uid}:{status.st_gid}, mode 0600" in str(caught.value)
    assert f"uid {os.geteuid()}" in str(caught.value)
    assert caught.value.exit_code == Exit.NOT_ALLOWED


def test_strings_over_several_lines_do_not_confuse_line_numbers(files: Files) -> None:
    """What looks like keys and tables inside a long string is not one; what follows has its true line."""
    long = '"""\ntoken = 1\n[relay]\nmail_relay = 2\n"""'
    faults = files.faults(note_of_ours=long, last_words="'''\ntoken = 3'''", mail_connect_timeout_seconds="0")
    fault = only(faults)
    assert (fault.key, fault.line) == ("mail_connect_timeout_seconds", 9 + 5 + 2)


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\u0085"])
def test_only_line_feeds_count_as_lines(files: Files, odd: str) -> None:
    """Unicode's own line separators inside a value or comment do not move the lines below them (TOML 1.0)."""
    files.write(f"# one{odd}still one\n" + lines({**SENDER, "mail_connect_timeout_seconds": "0"}))
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender)
    assert only(caught.value.faults).line == len(SENDER) + 2


def test_keys_are_found_in_every_spelling(files: Files) -> None:
    """Quoted, dotted and indented keys have their lines, too."""
    assert only(files.faults('  "mail_connect_timeout_seconds"  =  0\n')).line == 9
    assert only(files.faults('retry . "message_retries" = -1\n')).line == 9
    assert only(files.faults("[ retry ] # pace\n\tmessage_retries=-1\n")).line == 10
