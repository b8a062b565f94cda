"""`mail-sender init` against the stub: by a terminal, by options alone, and from files that are there already."""

import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import tomli

from mail_sender.cli import doctor_output
from tests.support.conversation import CTRL_C, CTRL_D, Conversation
from tests.support.sender import MAIL_SENDER, run_here
from tests.support.stub import Stub

USER = ("--user", str(os.geteuid()))
Options = dict[str, str | Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder that gets the two files."""
    made = tmp_path / "kanidm"
    made.mkdir()
    return made


@pytest.fixture
def options(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """Give all that a script needs for the stub, by option."""
    monkeypatch.setenv("SSL_CERT_FILE", str(stub.ca))  # to read the system's roots costs more than all else
    secrets = {"token": stub.tokens["readwrite"], "password": password(stub)}
    for name, secret in secrets.items():
        (tmp_path / name).write_text(f"{secret}\n")
    return {
        "--uri": stub.url,
        "--ca": stub.ca,
        "--display-name": "Example Identity",
        "--from-address": "idm@example.com",
        "--token-file": tmp_path / "token",
        "--relay": f"smtps://localhost:{stub.ports['smtps']}",
        "--relay-ca": stub.ca,
        "--username": "mail-sender",
        "--password-file": tmp_path / "password",
        "--state": tmp_path / "state",
    }


def password(stub: Stub) -> str:
    return str(tomli.loads(stub.sender_config.read_text())["mail_password"])


def init(folder: Path, options: Options, *flags: str | Path) -> CompletedProcess[str]:
    """Run it by options alone; no secret is ever shown."""
    given = [text for option, value in options.items() for text in (option, value)]
    done = run_here("-c", folder / "config", "-m", folder / "mail-sender", "init", *USER, *given, *flags)
    assert "Traceback" not in done.stderr
    for file in (options.get("--token-file", "-"), options.get("--password-file", "-")):
        if Path(file).exists():
            assert (Path(file).read_text().strip() or "no secret") not in done.stdout + done.stderr
    return done


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_options_alone_make_two_good_files_and_a_test_mail_goes_out(
    stub: Stub, folder: Path, options: Options
) -> None:
    """No question, the doctor's report at the end, and files that work as they are, closed to others."""
    done = init(folder, options)
    assert done.returncode == 0, done.stderr
    assert "0 faults, " in done.stdout
    assert f"-m {folder / 'mail-sender'} -t you@example.com" in done.stdout
    assert names(folder) == ["config", "mail-sender"]
    assert [(folder / name).stat().st_mode & 0o777 for name in names(folder)] == [0o644, 0o600]
    values = tomli.loads((folder / "mail-sender").read_text())
    assert values["mail_reply_to_address"] == "idm@example.com"
    assert values["instance_url"] == stub.url
    sent = run_here("-s", "-c", folder / "config", "-m", folder / "mail-sender", "-t", "ellie@example.com")
    assert sent.returncode == 0, sent.stdout
    assert [mail["to"] for mail in stub.mails()] == ["ellie@example.com"]


def test_all_that_is_missing_is_listed_at_once(folder: Path) -> None:
    """Whoever writes a script adds all of it in one go, and not one option after the other."""
    done = init(folder, {"--from-address": "idm@example.com", "--username": "idm"})
    assert done.returncode == 2
    listed = [line.split()[0] for line in done.stderr.splitlines()[1:]]
    assert listed == ["--uri", "--display-name", "--token-file", "--relay", "--password-file"]
    assert names(folder) == []


WRONG: dict[str, tuple[Callable[[Stub, Options], Options], int, str]] = {
    "read-only token": (
        lambda stub, options: changed_file(options["--token-file"], stub.tokens["readonly"]),
        1,
        "the token is read-only",
    ),
    "wrong password": (
        lambda _, options: changed_file(options["--password-file"], "somebody-else-s-word"),
        1,
        "check mail_username and mail_password",
    ),
    "bad address": (lambda *_: {"--from-address": "idm"}, 78, "mail_from_address: "),
    "no such CA": (lambda *_: {"--ca": "/no/such/file"}, 78, "ca_path: /no/such/file"),
    "no token in the file": (lambda _, options: changed_file(options["--token-file"], ""), 78, "token: is empty"),
    "no such file": (lambda *_: {"--token-file": "/no/such/file"}, 2, "--token-file /no/such/file: cannot be read"),
    "two secrets by one pipe": (
        lambda *_: {"--token-file": "-", "--password-file": "-"},
        2,
        "standard input can hold one secret",
    ),
    "account": (lambda *_: {"--account": "$(id)"}, 2, "--account '$(id)': expected"),
    "user": (lambda *_: {"--user": "no-such-user"}, 2, "useradd --system"),
    "Kratos": (lambda *_: {"--from": "kratos.yml"}, 2, "docs/moving-from-kratos.md"),
}


def changed_file(file: str | Path, text: str) -> Options:
    Path(file).write_text(text)
    return {}


@pytest.mark.parametrize("wrong", WRONG)
def test_nothing_is_written_if_something_is_wrong(stub: Stub, folder: Path, options: Options, wrong: str) -> None:
    """What the loader or a check finds is said, with an exit code of its own."""
    change, code, text = WRONG[wrong]
    done = init(folder, {**options, **change(stub, options)})
    assert done.returncode == code, done.stderr
    assert text in done.stdout + done.stderr
    assert names(folder) == []


def test_a_folder_that_is_missing_is_said_before_anybody_is_asked(folder: Path, options: Options) -> None:
    """Whoever has answered ten questions does not want to hear of it at the end."""
    done = init(folder / "missing", options)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"make the folder {folder / 'missing'} first" in done.stderr


def test_files_can_be_written_before_the_server_is_there(folder: Path, options: Options) -> None:
    """Offline nobody is asked, but the loader checks all the same."""
    done = init(folder, {**options, "--uri": "https://localhost:9", "--relay": "localhost:9"}, "--offline")
    assert done.returncode == 0, done.stderr
    assert names(folder) == ["config", "mail-sender"]


def test_a_file_that_is_there_is_replaced_only_if_that_is_wanted_and_kept(folder: Path, options: Options) -> None:
    """The client config is used as it is: it is Kanidm's, too."""
    (folder / "config").write_text(f'# theirs\nuri = "{options["--uri"]}"\nca_path = "{options["--ca"]}"\n')
    (folder / "mail-sender").write_text("before")
    of_sender = {key: value for key, value in options.items() if key not in {"--uri", "--ca"}}
    refused = init(folder, of_sender, "--offline")
    assert (refused.returncode, names(folder)) == (2, ["config", "mail-sender"])
    assert f"{folder / 'mail-sender'} is there already" in refused.stderr
    done = init(folder, of_sender, "--offline", "--force")
    assert done.returncode == 0, done.stderr
    assert (folder / "config").read_text().startswith("# theirs\n")
    (kept,) = folder.glob("mail-sender.bak-*")
    assert (kept.read_text(), len(names(folder))) == ("before", 3)
    assert "is kept as" in done.stdout


def test_the_files_of_kanidms_sender_are_used_as_they_are(stub: Stub, folder: Path) -> None:
    """Nothing is written where they are; elsewhere they are copied, with what an option changes."""
    before = stub.sender_config.read_bytes(), stub.client_config.read_bytes()
    place = stub.client_config, stub.sender_config
    done = run_here("-c", place[0], "-m", place[1], "init", *USER, "--yes", "--from", place[1], "--offline")
    assert done.returncode == 0, done.stderr
    assert "Both files are used as they are" in done.stdout
    assert (place[1].read_bytes(), place[0].read_bytes()) == before
    done = init(folder, {"--from": place[1], "--display-name": "Ours"}, "--yes", "--offline")
    assert done.returncode == 0, done.stderr
    assert (folder / "config").read_bytes() == before[1]
    values = tomli.loads(before[0].decode())
    assert tomli.loads((folder / "mail-sender").read_text()) == {**values, "instance_display_name": "Ours"}


def test_secrets_get_files_of_their_own_if_that_is_wanted(stub: Stub, folder: Path, options: Options) -> None:
    """The config can be shown to anybody then, a new one as one that was there; the loader finds them all the same."""
    done = init(folder, options, "--secret-files", "--offline")
    assert done.returncode == 0, done.stderr
    apart = ["mail-sender.password", "mail-sender.token"]
    assert names(folder) == ["config", "mail-sender", *apart]
    assert {(folder / name).stat().st_mode & 0o777 for name in apart} == {0o600}
    assert (folder / "mail-sender.token").read_text() == stub.tokens["readwrite"]
    checked = run_here("-c", folder / "config", "-m", folder / "mail-sender", "config", "check")
    assert checked.stdout == "the configuration can be used: no faults, no warnings\n"
    before = tomli.loads(stub.sender_config.read_text())
    done = run_here("-c", stub.client_config, "-m", stub.sender_config, "init", *USER, "--from", stub.sender_config,
                    "--secret-files", "--force", "--offline")  # fmt: skip
    assert done.returncode == 0, done.stderr
    paths = {
        f"{key}_path": f"{stub.sender_config}.{end}"
        for key, end in (("token", "token"), ("mail_password", "password"))
    }
    rest = {key: value for key, value in before.items() if key not in {"token", "mail_password"}}
    assert tomli.loads(stub.sender_config.read_text()) == {**rest, **paths}
    (kept,) = stub.dir.glob("mail-sender.bak-*")
    assert tomli.loads(kept.read_text()) == before


def test_another_sender_that_runs_is_named_before_anything_else(
    folder: Path, options: Options, tmp_path: Path
) -> None:
    """With its process, and with what stops it."""
    program = tmp_path / "kanidm-mail-sender"
    program.symlink_to("/bin/cat")
    with Conversation([program]) as other:
        other.type("x\n")
        other.expect("x")  # from now on it has its name
        done = init(folder, options, "--offline")
        assert f"kanidm-mail-sender (pid {other.pid}" in done.stdout
        assert done.stdout.index("Stop it before") < done.stdout.index("The files")


def ask(folder: Path, *flags: str | Path) -> Conversation:
    command = [MAIL_SENDER, "-c", folder / "config", "-m", folder / "mail-sender", "init", *USER, *flags]
    return Conversation(command)


def test_a_conversation_at_a_terminal_makes_two_good_files(stub: Stub, folder: Path) -> None:
    """Each answer is tried out at once, a wrong one is asked for again, a path is kept in full, no secret is shown."""
    with ask(folder, "--state", folder.parent / "state") as talk:
        talk.answer("URL of the identity server", "idm")
        talk.expect("expected a URL")
        talk.answer("URL of the identity server", stub.url)
        talk.expect("its CA is not trusted here")
        talk.answer("CA of the identity server", str(stub.ca))
        talk.expect("is a Kanidm")
        talk.answer("Name in mails", "Example Identity")
        talk.answer("URL in mails", "")
        talk.answer("From address", "idm@example.com")
        talk.answer("Reply-To address", "")
        talk.expect("kanidm service-account api-token generate mail-sender 'mail sender token' --readwrite")
        talk.answer("Token", stub.tokens["readonly"])
        talk.expect("the token is read-only")
        talk.answer("Try again", "change")
        talk.answer("Token", stub.tokens["readwrite"])
        talk.answer("Relay", f"smtps://localhost:{stub.ports['smtps']}")
        talk.answer("CA of the relay", str(stub.ca))
        talk.answer("User at the relay", "mail-sender")
        talk.answer("Password at the relay", password(stub))
        talk.expect("it takes the login")
        assert names(folder) == []
        talk.answer("Write them?", "")
        assert talk.end() == 0, talk.text
        shown = talk.text
    assert "0 faults, " in shown
    for secret in (password(stub), *stub.tokens["readwrite"].split("."), *stub.tokens["readonly"].split(".")[1:]):
        assert secret not in shown
    findings = ("ok ", "warning ", "fault ", "skipped ", "what to do")
    long = [line for line in shown.splitlines() if len(line) > 80 and not line.lstrip().startswith(findings)]
    assert [
        line for line in long if str(folder.parent.parent) not in line and "kanidm service-account" not in line
    ] == []
    assert names(folder) == ["config", "mail-sender"]
    assert tomli.loads((folder / "config").read_text())["ca_path"] == str(stub.ca)


def test_ctrl_c_during_the_report_says_that_the_files_are_written(
    folder: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done is not taken back, and what is left to do is a command of its own."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor_output, "print_report", interrupted)
    done = init(folder, options)
    assert done.returncode == 1
    assert "stopped; the files are written" in done.stderr
    assert names(folder) == ["config", "mail-sender"]


@pytest.mark.parametrize(("question", "key"), [("URL of the identity server", CTRL_D), ("Token", CTRL_C)])
def test_a_question_that_is_not_answered_leaves_nothing(
    folder: Path, options: Options, question: str, key: str
) -> None:
    """Whoever stops is told that nothing was changed; there is no traceback, and the terminal echoes again."""
    of_server = ("--uri", "https://localhost:9", "--display-name", "a", "--from-address", "a@example.com")
    flags = (*of_server, "--instance-url", "https://localhost:9", "--reply-to", "a@example.com", "--offline")
    with ask(folder, *(flags if question == "Token" else ())) as talk:
        talk.expect(question)
        talk.expect(": ")
        talk.type(key)
        talk.expect("mail-sender: stopped; nothing was changed")
        assert talk.end() == 1
        assert talk.echoes
        assert "Traceback" not in talk.text
    assert names(folder) == []
