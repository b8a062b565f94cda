"""Containers of the image, confined as far as an engine can: what they do is what the sender does anywhere.

Their root is read-only and has no tmpfs, they have no capability, and their uid is one that the image does not know.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.container.image import CLONE, CONFINED, STATE, UID, Image, Running, Volume, config_folder, mounted, podman
from tests.support.stub import Stub

# The first build of a clone makes a Debian, which takes a minute; later ones take a third of one.
pytestmark = [pytest.mark.debian("buildah", "debootstrap", "podman", "runc"), pytest.mark.timeout(600)]

(HEALTH_CHECK,) = re.findall(r"(?m)^HEALTHCHECK .* CMD (.*)$", (CLONE / "Containerfile").read_text())
"""Images in OCI's format do not have it, and docker's format has random names in it."""
FACTS = f"""
id -u; id -g
grep -E '^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status
for folder in / /tmp /run /var/tmp /opt/mail-sender {STATE}; do
    if touch $folder/trace 2>/dev/null; then echo "writable: $folder"; fi
done
"""


def compiled_now(verbose: str) -> list[str]:
    """Return the sources that Python had to compile, from what it says with PYTHONVERBOSE=1."""
    loaded = [line.split("'")[1] for line in verbose.splitlines() if line.startswith("# code object from '")]
    assert len(loaded) > 500
    return [path for path in loaded if not path.startswith("/opt/mail-sender/bytecode/")]


def is_marked(stub: Stub) -> bool:
    """Whether no message of the stub is unsent."""
    return all(message.get("sent_at") for message in stub.messages())


def test_the_confinement_of_these_tests_is_real(image: Image) -> None:
    """No capability, no new privileges, a seccomp filter, a uid without a name, and one folder that can be written."""
    facts = image.output("sh", "-c", FACTS).split("\n")
    assert facts[:2] == [str(UID), "0"]
    assert {line.split(":\t")[0]: int(line.split(":\t")[1], 16) for line in facts[2:8]} == {
        "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0, "NoNewPrivs": 1, "Seccomp": 2,
    }  # fmt: skip
    assert facts[8:] == [f"writable: {STATE}", ""]


def test_the_test_mail_arrives_from_the_container(image: Image, stub: Stub, config: Path) -> None:
    """`-t` as the container's only argument finds the mounted config without a flag, and mails once."""
    options = [*CONFINED, *mounted(config)]
    done = subprocess.run(
        image.command("-t", "somebody@example.com", options=options), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [mail["To"] for mail in stub.mails()] == ["somebody@example.com"]


def test_nothing_that_a_sender_loads_has_to_be_compiled_first(image: Image, stub: Stub, config: Path) -> None:
    """An image that nobody can write would have that at each start."""
    stub.send_test("ellie")
    options = [*CONFINED, *mounted(config), "--env", "PYTHONVERBOSE=1"]
    command = image.command("run", "--once", options=options)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [mail["To"] for mail in stub.mails()] == ["ellie@example.com"]
    assert compiled_now(done.stderr) == []


def test_a_queued_message_is_mailed_once_and_marked_and_sigterm_ends_it_with_0(
    image: Image, stub: Stub, tmp_path: Path
) -> None:
    """Started without arguments as the image's own user, it drains the queue and stops as an engine asks it to."""
    stub.send_test("ellie")
    config = config_folder(stub, tmp_path / "of-10001", uid=10001)
    options = ["--network", "host", *mounted(config)]
    with Running(image, options=options) as sender:
        sender.until(lambda: is_marked(stub))
        sender.signal("TERM")
        code, printed = sender.ended(within=10)
    assert code == 0, printed
    assert [mail["To"] for mail in stub.mails()] == ["ellie@example.com"]


def test_the_queue_verbs_work_by_exec_and_the_ledger_outlives_a_kill(image: Image, stub: Stub, config: Path) -> None:
    """As a user of whom the image does not know, and without a flag; a new container finds the ledger in its volume."""
    stub.send_test("ellie")
    (message,) = (entry["id"] for entry in stub.messages())
    with Volume() as volume:
        options = [*CONFINED, *mounted(config), *volume.at()]
        with Running(image, options=[*options, "--health-cmd", HEALTH_CHECK]) as sender:

            def verb(*words: str) -> str:
                done = sender.exec("mail-sender", *words)
                assert done.returncode == 0, done.stdout + done.stderr
                return done.stdout

            sender.until(lambda: is_marked(stub))
            assert verb("healthcheck") == "alive and ready\n"
            podman("healthcheck", "run", sender.name)
            listed = [json.loads(line) for line in verb("queue", "list", "-o", "json").splitlines()]
            assert [entry["status"] for entry in listed if entry["message_id"] == message] == ["sent"]
            verb("queue", "resend", "-y", message)
            sender.until(lambda: len(stub.mails()) == 2)
            sender.signal("KILL")
            sender.ended(within=10)
        shown = subprocess.run(
            image.command("queue", "show", message, options=options), capture_output=True, text=True, check=False
        )
        assert "copy 1" in shown.stdout, shown.stderr
        owners = image.output("sh", "-c", f"stat -c %u {STATE}/* | sort -u", options=options)
        assert owners.split() == [str(UID)]


def test_without_a_folder_that_it_may_write_the_sender_says_so_and_ends(
    image: Image, config: Path, tmp_path: Path
) -> None:
    """A ledger in memory would send mail again after each restart; nobody asks for that by forgetting a volume's owner."""
    folder = tmp_path / "somebody-else's"
    folder.mkdir(mode=0o700)
    options = [*CONFINED, *mounted(config), "--volume", f"{folder}:{STATE}"]
    done = subprocess.run(image.command(options=options), capture_output=True, text=True, check=False)
    assert done.returncode == 78, done.stdout + done.stderr
    assert f"{STATE} cannot be used (permission denied); make it writable for uid {UID}" in done.stderr
