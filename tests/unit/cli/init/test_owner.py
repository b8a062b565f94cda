"""The sender's user may read the files, and nobody else may read the secrets."""

import os
import pwd
from pathlib import Path

import pytest

from mail_sender.cli.init import next_steps, owner, state
from mail_sender.cli.init.owner import Owner
from mail_sender.errors import UsageError
from mail_sender.ledger import state_folder

DAEMON = pwd.getpwnam("daemon")


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have us be root."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "getegid", lambda: 0)


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have us be a user without rights."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1000)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("name", "rights"),
    [
        ("daemon", (0, DAEMON.pw_gid, 0o640)),  # whose group is its own
        (
            "nobody",
            (pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid, 0o600),
        ),  # whose group is everybody's
        ("10001", (10001, 10001, 0o600)),  # of the container: nothing is known of its group
        ("0", (0, 0, 0o600)),
        (None, (0, 0, 0o600)),
    ],
)
def test_root_gives_the_secrets_to_one_user_alone(name: str | None, rights: tuple[int, int, int]) -> None:
    """By a group that is the user's own, the file stays root's; else the user owns it."""
    assert owner.of(name).of_secrets == rights
    assert owner.of(name).of_others == (0, 0, 0o644)


@pytest.mark.usefixtures("somebody")
def test_who_is_not_root_writes_for_himself() -> None:
    """Somebody else's files he cannot make."""
    assert owner.of(None).of_secrets == (1000, 1000, 0o600)
    assert owner.of("1000").of_secrets[0] == 1000
    with pytest.raises(UsageError, match="only root can write files for daemon"):
        owner.of("daemon")


@pytest.mark.parametrize(("name", "said"), [("no-such-user", "useradd"), ("99999999999", "no uid is that large")])
@pytest.mark.usefixtures("root")
def test_a_user_that_is_not_there_is_said_with_what_makes_it(name: str, said: str) -> None:
    """The command can be copied."""
    with pytest.raises(UsageError, match=said):
        owner.of(name)


@pytest.mark.usefixtures("root")
def test_root_makes_the_state_folder_for_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user could not make it; a folder that is there is left as it is."""
    given: list[tuple[Path, int, int]] = []
    monkeypatch.setattr(os, "chown", lambda *how: given.append(how))
    user = owner.of("daemon")
    folder = tmp_path / "state"
    assert state.make(str(folder), user) == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    assert given == [(folder, user.uid, user.gid)]
    assert state.make(str(folder), user) is None
    assert state.proposal(tmp_path / "mail-sender", user) is None


def test_another_state_folder_is_proposed_where_the_usual_one_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the ledger would be kept in memory, and a restart would repeat mail."""
    ours = owner.of(None)
    monkeypatch.setattr(state_folder, "DEFAULT", tmp_path / "missing" / "mail-sender")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert state.proposal(tmp_path / "mail-sender", ours) == str(tmp_path / "state")
    monkeypatch.setattr(state_folder, "DEFAULT", tmp_path / "mail-sender.d")
    assert state.proposal(tmp_path / "mail-sender", ours) is None


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("user", "begins"),
    [
        (Owner("mail-sender", 10, 10), "runuser -u mail-sender -- "),
        (Owner("10001", 10001, 10001), "setpriv --reuid=10001 --regid=10001 --clear-groups "),
        (Owner("0", 0, 0), ""),
    ],
)
def test_what_comes_next_runs_as_the_senders_user(user: Owner, begins: str) -> None:
    """The sender refuses real root; with files of root's there is no other way."""
    (_, test_mail), (_, run) = next_steps.commands(Path("/etc/kanidm/config"), Path("/srv/my sender"), user)
    assert test_mail.startswith(begins)
    assert test_mail.endswith(" -m '/srv/my sender' -t you@example.com")
    assert (" -s " in run) == (user.uid == 0)


def test_files_that_variables_name_need_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is in the image."""
    monkeypatch.setenv("MAIL_SENDER_CLIENT_CONFIG", "/data/kanidm/config")
    monkeypatch.setenv("MAIL_SENDER_CONFIG", "/data/kanidm/mail-sender")
    paths = Path("/data/kanidm/config"), Path("/data/kanidm/mail-sender")
    (_, test_mail), _ = next_steps.commands(*paths, Owner("10001", os.geteuid(), 10001))
    assert test_mail.endswith(" -t you@example.com")
    assert "/data/kanidm" not in test_mail
