"""Secrets outside the two files: five sources, of which one may be used, and what is wrong with a file."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import pytest

from mail_sender.config import secret_files
from mail_sender.config.load import load
from mail_sender.errors import ConfigError, Exit
from mail_sender.tls import contexts
from tests.support.config_files import CLIENT, SENDER, Files, lines
from tests.support.configs import relay_of

TOKEN = "eyJhbGciOi.eyJvdGhl.c2VjcmV0LWZpbGU"
PASSWORD = "fr0m-a-f1le 9Zq"
NONE: Mapping[str, str] = {}


def write(files: Files, **changes: str | None) -> None:
    """Write good files, changed."""
    files.write(lines({**SENDER, **changes}), lines(CLIENT))


def secret(folder: Path, name: str, text: str | bytes) -> Path:
    """Write a file with a secret, closed to others."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    return path


def source(files: Files, how: str, key: str, text: str) -> tuple[dict[str, str | None], dict[str, str]]:
    """Give a key one source; return what changes in the file, and in the environment."""
    variable = f"MAIL_SENDER_{key.upper()}"
    match how:
        case "the file":
            return {key: f"'{text}'"}, {}
        case "a path in the file":
            return {key: None, f"{key}_path": f'"{secret(files.folder, key, text)}"'}, {}
        case "a variable":
            return {key: None}, {variable: text}
        case "a path in a variable":
            return {key: None}, {f"{variable}_FILE": str(secret(files.folder, key, text))}
        case "the variable of the path's key":
            return {key: None}, {f"{variable}_PATH": str(secret(files.folder, key, text))}
    name = f"mail-sender.{key}" if "mail-sender" in how else key
    return {key: None}, {"CREDENTIALS_DIRECTORY": str(secret(files.folder / "credentials", name, text).parent)}


HOW = (
    "the file", "a path in the file", "a variable", "a path in a variable", "the variable of the path's key",
    "a credential", "a credential with mail-sender in front",
)  # fmt: skip


@pytest.mark.parametrize("how", HOW)
def test_a_secret_is_taken_from_each_source_and_is_known_to_the_log(files: Files, how: str) -> None:
    """Wherever it stands, it counts, and its file is watched."""
    of_token, of_password = source(files, how, "token", TOKEN), source(files, how, "mail_password", PASSWORD)
    write(files, **of_token[0], **of_password[0])
    found = load(files.client, files.sender, environment={**of_token[1], **of_password[1]})
    password = relay_of(found).password
    assert password is not None
    assert (found.source.token.get_secret_value(), password.get_secret_value()) == (TOKEN, PASSWORD)
    assert {TOKEN, PASSWORD} <= {known.get_secret_value() for known in found.secrets}
    assert len(found.files) - len(contexts.roots()) == (2 if how in {"the file", "a variable"} else 4)
    assert found.warnings == ()


def test_two_sources_are_one_fault_that_names_both(files: Files) -> None:
    """One of them is old, and nobody could tell which one counts."""
    one, other = (secret(files.folder, name, TOKEN) for name in ("one", "other"))
    folder = secret(files.folder / "credentials", "token", TOKEN).parent
    secret(folder, "mail-sender.token", TOKEN)
    both = {"token": f'"{TOKEN}"', "token_path": f'"{one}"'}
    of_path = {"token": None, "token_path": f'"{one}"'}
    cases: list[tuple[dict[str, str | None], dict[str, str], str]] = [
        ({**both}, {}, "twice: in line 1 and by token_path in line 9"),
        ({}, {"MAIL_SENDER_TOKEN": TOKEN}, "twice: in line 1 and by MAIL_SENDER_TOKEN"),
        ({}, {"MAIL_SENDER_TOKEN_FILE": str(one)}, "twice: in line 1 and by MAIL_SENDER_TOKEN_FILE"),
        (
            of_path,
            {"MAIL_SENDER_TOKEN_FILE": str(other)},
            "twice: by token_path in line 8 and by MAIL_SENDER_TOKEN_FILE",
        ),
        (of_path, {"MAIL_SENDER_TOKEN": TOKEN}, "twice: by token_path in line 8 and by MAIL_SENDER_TOKEN"),
        (
            {"token": None},
            {"CREDENTIALS_DIRECTORY": str(folder)},
            f"twice: by the systemd credential {folder}/token and by the systemd credential {folder}/mail-sender.token",
        ),
        (
            {**both},
            {"MAIL_SENDER_TOKEN": TOKEN, "MAIL_SENDER_TOKEN_PATH": str(other)},
            "4 times: in line 1 and by token_path",
        ),
    ]
    for changes, variables, words in cases:
        write(files, **changes)
        with pytest.raises(ConfigError) as caught:
            load(files.client, files.sender, environment=variables)
        (fault,) = caught.value.faults
        assert str(fault).startswith(f"{files.sender}: token: is set {words}")
        assert str(fault).endswith("; keep one of them, and remove the rest")


def test_two_names_of_one_file_are_one_source_and_an_empty_password_is_none(files: Files) -> None:
    """`token_path` may name systemd's credential, and Kanidm's example has an empty password."""
    folder = secret(files.folder / "credentials", "token", TOKEN).parent
    secret(folder, "mail_password", PASSWORD)
    write(files, token=None, token_path=f'"{folder}/../credentials/token"', mail_password='""')
    found = load(files.client, files.sender, environment={"CREDENTIALS_DIRECTORY": str(folder)})
    assert found.source.token.get_secret_value() == TOKEN
    assert relay_of(found).username == "idm"


def test_other_credentials_and_a_folder_that_is_not_there_are_no_sources(files: Files) -> None:
    """Systemd's folder may hold what is somebody else's."""
    folder = secret(files.folder / "credentials", "tls.key", "x").parent
    for named in (folder, files.folder / "none", files.folder / "credentials/tls.key"):
        write(files)
        assert load(files.client, files.sender, environment={"CREDENTIALS_DIRECTORY": str(named)}).warnings == ()


def test_a_line_break_at_the_end_is_dropped_and_said_and_a_space_is_kept(files: Files) -> None:
    """`echo` writes one; a password may end with a space."""
    path = secret(files.folder, "password", f"{PASSWORD} \r\n")
    write(files, mail_password=None, mail_password_path=f'"{path}"')
    found = load(files.client, files.sender, environment=NONE)
    password = relay_of(found).password
    assert password is not None
    assert password.get_secret_value() == f"{PASSWORD} "
    line, space = found.warnings
    place = f"{path} (mail_password_path in {files.sender}:8)"
    assert line == f"mail_password (16 characters): a line break around it is left out; remove it from {place}"
    assert space.startswith("mail_password (16 characters) has a space at its end")
    write(files, token=None)
    found = load(files.client, files.sender, environment={"MAIL_SENDER_TOKEN": f"{TOKEN}\n"})
    assert found.source.token.get_secret_value() == TOKEN
    assert found.warnings == (
        "token (35 characters): a line break around it is left out; remove it from MAIL_SENDER_TOKEN",
    )


def test_a_folder_of_credentials_that_is_closed_is_one_fault(files: Files) -> None:
    """Not one for each secret that might be in there, and none for a token that is missing."""
    closed = files.folder / "credentials"
    closed.mkdir()
    write(files, token=None, mail_password=None)
    refused = PermissionError(errno.EACCES, "Permission denied")
    with patch.object(Path, "stat", side_effect=refused), pytest.raises(ConfigError) as caught:
        load(files.client, files.sender, environment={"CREDENTIALS_DIRECTORY": str(closed)})
    (fault,) = caught.value.faults
    assert (fault.path, fault.key) == (closed, "CREDENTIALS_DIRECTORY")
    assert fault.found.startswith("cannot be reached (Permission denied)")


def test_a_file_open_to_everybody_is_a_warning(files: Files) -> None:
    """As for the mail-sender config itself."""
    path = secret(files.folder, "token-alone", TOKEN)
    path.chmod(0o644)
    write(files, token=None)
    (warning,) = load(files.client, files.sender, environment={"MAIL_SENDER_TOKEN_FILE": str(path)}).warnings
    assert warning.startswith(f"{path} holds secrets and is open to everybody (mode 0644)")


BAD: list[tuple[bytes | None, str]] = [
    (b"", "{} is empty"),
    (b" \r\n\n", "{} is empty"),
    (b"\xff\xfe\x00", "{} is not text in UTF-8"),
    (b"a.b.c\0", "{} holds a NUL, which no text has"),
    (b"x" * (secret_files.MOST_OCTETS + 1), "{} is larger than 64 KiB"),
    (None, "{}: no such file"),
]


@pytest.mark.parametrize(("octets", "words"), BAD, ids=[words[3:12] for _, words in BAD])
def test_a_file_without_a_secret_is_one_fault_that_names_the_file_and_who_names_it(
    files: Files, octets: bytes | None, words: str
) -> None:
    """And nothing else: neither a missing token, nor half a login."""
    path = files.folder / "given"
    if octets is not None:
        secret(files.folder, "given", octets)
    write(files, token=None, mail_password=None, mail_password_path=f'"{path}"')
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender, environment={"MAIL_SENDER_TOKEN_FILE": str(path)})
    expected = "expected a file that holds the secret and nothing else"
    assert [str(fault) for fault in caught.value.faults] == [
        f"environment: MAIL_SENDER_TOKEN_FILE: {words.format(path)}; {expected}",
        f"{files.sender}:7: mail_password_path: {words.format(path)}; {expected}",
    ]
    assert caught.value.exit_code == Exit.BAD_CONFIG
    assert path in caught.value.files


def test_a_folder_a_pipe_and_a_path_that_is_none_are_faults_and_nobody_waits(files: Files) -> None:
    """A container engine makes a folder where a mounted file is missing; a pipe would wait for a writer."""
    pipe = files.folder / "pipe"
    os.mkfifo(pipe)
    for path, words in (
        (files.folder, "is a folder"),
        (pipe, "is no regular file"),
        ("/dev/null", "is no regular file"),
    ):
        write(files, token=None, token_path=f'"{path}"')
        with pytest.raises(ConfigError, match=f"token_path: {path} {words}"):
            load(files.client, files.sender, environment=NONE)
    for text, words in (
        ("5", "5; expected text in quotes"),
        ('""', "an empty text"),
        ('"${FILE}"', '${FILE}" still holds a placeholder'),
    ):
        write(files, token=None, token_path=text)
        with pytest.raises(ConfigError) as caught:
            load(files.client, files.sender, environment=NONE)
        assert [words in str(fault) for fault in caught.value.faults] == [True]


def test_a_secret_that_stands_where_its_file_should_be_named_is_not_shown(files: Files) -> None:
    """It looks like no path, and it is what somebody pastes there."""
    password = "qX7pLw2Rk9TzVb4N"
    write(files, mail_password=None, mail_password_path=f'"{password}"')
    with pytest.raises(ConfigError, match=r"mail_password_path: \*\*\*: no such file") as caught:
        load(files.client, files.sender, environment=NONE)
    assert password not in str(caught.value)


def test_what_is_wrong_with_a_secret_names_its_file_and_never_what_it_holds(files: Files) -> None:
    """Two tokens in one file, a placeholder, half an address: the place is the file's, not a line of the TOML."""
    path = secret(files.folder, "token-alone", f"{TOKEN} {TOKEN}")
    write(files, token=None, token_path=f'"{path}"')
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender, environment=NONE)
    (fault,) = caught.value.faults
    assert str(fault).startswith(f"{path}: token: has 71 characters, among them")
    assert TOKEN not in str(caught.value)
    folder = secret(files.folder / "credentials", "alert.url", "nonsense 9Zq").parent
    write(files)
    with pytest.raises(ConfigError, match=r"credentials/alert.url: alert.url: is not a URL"):
        load(files.client, files.sender, environment={"CREDENTIALS_DIRECTORY": str(folder)})
    secret(folder, "alert.url", "")
    with pytest.raises(ConfigError, match=r"credentials/alert.url: alert.url: is empty; expected"):
        load(files.client, files.sender, environment={"CREDENTIALS_DIRECTORY": str(folder)})
