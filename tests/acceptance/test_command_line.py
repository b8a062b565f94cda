"""Flags, environment and exit codes of the installed program."""

import os
import subprocess
from pathlib import Path

import pytest

import mail_sender
from tests.support import configs
from tests.support.sender import MAIL_SENDER, Sender, run, run_here
from tests.support.stub import Stub

# The rule alone: a user other than root may not reach the interpreter and modules of root's environment.
RULE = f"""
import sys
sys.path.insert(0, {str(Path(mail_sender.__file__).parent.parent)!r})
from mail_sender.cli.privilege import refuse_real_root
refuse_real_root()
sys.exit(78)
"""


def test_version_and_help_need_no_configuration() -> None:
    """Both answer at once, also as root and without any file."""
    version = subprocess.run([MAIL_SENDER, "--version"], capture_output=True, text=True, timeout=30, check=False)
    assert (version.returncode, version.stdout) == (0, f"mail-sender {mail_sender.__version__}\n")
    help_ = subprocess.run([MAIL_SENDER, "--help"], capture_output=True, text=True, timeout=30, check=False)
    assert help_.returncode == 0
    for flag in ("--client-config", "--mail-sender-config", "--test-email", "--debug", "--skip-root-check"):
        assert flag in help_.stdout


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (["--nonsense"], {}),
        (["no-such-command"], {}),
        (["-t", "not an address"], {}),
        (["-t", "Name <a@example.com>"], {}),
        ([], {"KANIDM_DEBUG": "maybe"}),
    ],
)
def test_wrong_usage_is_exit_2_with_a_sentence(arguments: list[str], env: dict[str, str]) -> None:
    """A typing error is the user's to mend, and says so."""
    done = run_here("-s", *arguments, env=env)
    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("debug", ["true", "false", "1", "info"])
def test_kanidm_debug_is_read_as_kanidm_reads_it_and_as_a_number(tmp_path: Path, debug: str) -> None:
    """The environment of a Kanidm container works unchanged: the flag parses, and the config is looked at."""
    env = {"KANIDM_DEBUG": debug}
    assert run_here("-s", "-c", tmp_path / "x", "-m", tmp_path / "y", env=env).returncode == 78


def test_debug_logs_more_and_no_secret(stub: Stub) -> None:
    """`-d` tells what was asked, listed and offered; the token and the password stay out of it."""
    with Sender(stub.client_config, stub.sender_config, "-d") as sender:
        for event in ("server_request", "polled", "polled"):
            sender.wait_for(event)
        assert sender.stop() == 0
    assert stub.tokens["readwrite"] not in sender.log
    assert "password" not in sender.log.lower()


def test_output_that_cannot_be_written_changes_no_result_and_makes_no_traceback(stub: Stub) -> None:
    """A full disk behind the output: the mail goes out all the same, and 0 says so."""
    configs_of = ["-c", str(stub.client_config), "-m", str(stub.sender_config)]
    arguments = [str(MAIL_SENDER), "-s", *configs_of, "-t", "you@example.com"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
        help_ = subprocess.run(
            [MAIL_SENDER, "-h"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(stub.mails()) == 1
    assert help_.returncode == 1
    assert "No space left" in help_.stderr
    assert "Traceback" not in help_.stderr


def test_closed_standard_streams_are_not_taken_by_connections(brisk: Stub) -> None:
    """With 0, 1 and 2 closed at the start, nothing that is printed may end up in a conversation."""
    brisk.send_test("ellie")
    command = (
        f"exec {MAIL_SENDER} -s -c {brisk.client_config} -m {brisk.sender_config} -t you@example.com <&- >&- 2>&-"
    )
    done = subprocess.run(["sh", "-c", command], timeout=30, check=False)
    assert done.returncode == 0
    assert [envelope["rcpt_to"] for envelope in brisk.envelopes()] == [["you@example.com"]]


def test_both_paths_come_from_the_environment_as_well(stub: Stub) -> None:
    """A command run by exec inside a container needs no flags."""
    env = {"MAIL_SENDER_CLIENT_CONFIG": str(stub.client_config), "MAIL_SENDER_CONFIG": str(stub.sender_config)}
    done = run("-t", "you@example.com", env=env)
    assert done.returncode == 0, done.stderr
    assert len(stub.mails()) == 1


def test_real_root_is_refused_before_the_configuration_is_read(tmp_path: Path) -> None:
    """77 and what to do instead; a broken config is not even looked at."""
    if os.geteuid() != 0:
        # A user who is not root can only be root of a namespace, which is not real root: the other test's case.
        done = run("-c", tmp_path / "x", "-m", tmp_path / "y")
        assert done.returncode == 78
        return
    done = subprocess.run(
        [MAIL_SENDER, "-c", tmp_path / "x", "-m", tmp_path / "y"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 77
    assert "refusing to run as root" in done.stderr
    assert "--skip-root-check" in done.stderr


def test_root_of_a_user_namespace_is_not_real_root() -> None:
    """A rootless container's root owns nothing outside: the check passes, and the missing config is named."""
    command = ["unshare", "-Ur", str(MAIL_SENDER), "-c", "/nowhere/x", "-m", "/nowhere/y"]
    if os.geteuid() == 0:
        somebody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        command = [*somebody, "unshare", "-Ur", "/usr/bin/python3", "-B", "-c", RULE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd="/")
    assert done.returncode == 78, done.stderr


def test_group_zero_is_fine() -> None:
    """OpenShift gives group 0 to everything; only the uid decides."""
    command = ["/usr/bin/python3", "-B", "-c", RULE]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid", "65534", "--regid", "0", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd="/")
    assert done.returncode == 78, done.stderr


def test_a_config_written_for_kanidms_sender_works_unchanged(stub: Stub, tmp_path: Path) -> None:
    """Kanidm's keys alone, no table of ours: a private CA comes from SSL_CERT_FILE, as there."""
    kanidm_keys = {**configs.KANIDM, "token": stub.tokens["readwrite"]}
    theirs = configs.change(stub.sender_config, relay=None)
    assert set(kanidm_keys) >= {"token"}
    assert "[relay]" not in theirs.read_text()
    client = configs.write(tmp_path / "client", {"uri": stub.url})
    done = run("-c", client, "-m", theirs, "-t", "you@example.com", env={"SSL_CERT_FILE": str(stub.ca)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "may read the queue and mark it" in done.stdout
