"""The image, built without a network and run as a container: what it holds, and that it carries mail."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.container.container import CLONE, Container, Running, build, config_folder, forget_what_was_fetched
from tests.support.stub import Stub

# The first build of a clone makes a Debian, which takes a minute; later ones take a third of one.
pytestmark = [pytest.mark.debian("buildah", "debootstrap"), pytest.mark.timeout(600)]

SITE_PACKAGES = "import sysconfig; print(sysconfig.get_path('purelib'))"
INSTALLED = "from importlib.metadata import distributions as all; print(*(one.name for one in all()))"


@pytest.fixture(scope="module")
def container() -> Iterator[Container]:
    """A container of a freshly built image."""
    build()
    made = Container()
    yield made
    made.remove()


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    """An identity server and relay on this machine, which is the container's localhost too."""
    with Stub(tmp_path / "stub") as running:
        yield running


@pytest.fixture
def config(stub: Stub, tmp_path: Path) -> Path:
    """The folder to mount at /data/kanidm."""
    return config_folder(stub, tmp_path / "kanidm")


def test_the_test_mail_arrives_from_the_container(container: Container, stub: Stub, config: Path) -> None:
    """`-t` as the container's only argument finds the mounted config without a flag and mails once."""
    command = container.mail_sender("-t", "somebody@example.com", config=config)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [mail["To"] for mail in stub.mails()] == ["somebody@example.com"]


def test_a_queued_message_is_mailed_once_and_marked_and_sigterm_ends_it_with_0(
    container: Container, stub: Stub, config: Path
) -> None:
    """Started without arguments, the container drains the queue and stops as an engine asks it to."""
    stub.send_test("ellie")
    with Running(container, config) as sender:
        wait_until_marked(stub, sender, within=30)
        code, printed = sender.stop(within=10)
    assert code == 0, printed
    assert [mail["To"] for mail in stub.mails()] == ["ellie@example.com"]


def test_the_queue_verbs_work_by_exec_beside_the_sender_and_after_it_was_killed(
    container: Container, stub: Stub, config: Path
) -> None:
    """As the image's user, who is not root, and without a flag."""

    def verb(*words: str, code: int = 0) -> str:
        done = subprocess.run(
            container.mail_sender("queue", *words, config=config), capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    stub.send_test("ellie")
    (message,) = (entry["id"] for entry in stub.messages())
    with Running(container, config) as sender:
        wait_until_marked(stub, sender, within=30)
        listed = [json.loads(line) for line in verb("list", "-o", "json").splitlines()]
        health = container.mail_sender("healthcheck", config=config)
        assert subprocess.run(health, capture_output=True, text=True, check=True).stdout == "alive and ready\n"
        assert [entry["status"] for entry in listed if entry["message_id"] == message] == ["sent"]
        assert "250" in verb("show", message)
        verb("resend", "-y", message)
        wait_until(lambda: len(stub.mails()) == 2, sender, within=30)
        os.kill(sender.pid, signal.SIGKILL)
        sender.ended(within=10)
    shown = verb("show", message)
    assert "copy 1" in shown
    assert "is sent" in verb("retry", message, code=1)
    assert container.output("sh", "-c", "stat -c %u /var/lib/mail-sender/* | sort -u").split() == ["10001"]


def test_it_runs_as_uid_10001_and_owns_its_state_alone(container: Container) -> None:
    """Neither root nor another user's state: the volume is there, closed, and writable by the image's user."""
    assert container.output("id", "-u", "-r").strip() == "10001"
    assert container.output("stat", "-c", "%a %u:%g", "/var/lib/mail-sender").strip() == "700 10001:10001"
    container.output("test", "-w", "/var/lib/mail-sender")
    assert list(container.declared["Volumes"]) == ["/var/lib/mail-sender"]


def test_it_declares_what_an_engine_needs(container: Container) -> None:
    """Entry point, user and stop signal are the image's, so that nobody has to pass them."""
    declared = {key: container.declared[key] for key in ("Entrypoint", "User", "StopSignal")}
    assert declared == {"Entrypoint": ["mail-sender"], "User": "10001:10001", "StopSignal": "SIGTERM"}


def test_only_the_locked_dependencies_are_installed(container: Container) -> None:
    """No pip, build tool, test or extra gets into the image: its packages are runtime.lock's and ours."""
    lock = (CLONE / "requirements/runtime.lock").read_text()
    locked = set(
        re.findall(r"^([\w.-]+)==\S+ \\$", lock, re.MULTILINE)
    )  # a marker (Windows) would follow the version
    installed = container.output("/opt/mail-sender/bin/python", "-c", INSTALLED).split()
    assert {name.lower().replace("_", "-") for name in installed} == locked | {"mail-sender"}


def test_there_is_nothing_to_build_with(container: Container) -> None:
    """Whoever breaks in finds no compiler and no installer, and the first stage stayed behind."""
    found = container.output("sh", "-c", "command -v pip gcc cc make; ls -d /src /opt/build /dist 2>/dev/null; true")
    assert found == ""


def test_the_templates_are_inside_the_installed_package(container: Container) -> None:
    """Every file of templates/ is shipped in the wheel, at the place where the sender looks."""
    folder = container.output("/opt/mail-sender/bin/python", "-c", SITE_PACKAGES).strip() + "/mail_sender/templates"
    shipped = container.output("sh", "-c", f"cd {folder} && find . -type f").split()
    ours = [
        f"./{path.relative_to(CLONE / 'templates')}" for path in (CLONE / "templates").rglob("*") if path.is_file()
    ]
    assert ours
    assert sorted(shipped) == sorted(ours)


@pytest.mark.soak
def test_an_image_is_built_from_nothing() -> None:
    """A new Debian, all wheels fetched anew: what others have of this clone is enough."""
    forget_what_was_fetched()
    build()
    made = Container()
    assert made.output("mail-sender", "--version").startswith("mail-sender ")
    made.remove()


def wait_until_marked(stub: Stub, sender: Running, within: float) -> None:
    """Ask the server again and again, as fast as it answers, until no message is unsent."""
    wait_until(lambda: all(message.get("sent_at") for message in stub.messages()), sender, within)


def wait_until(is_so: Callable[[], bool], sender: Running, within: float) -> None:
    """Look again and again, as fast as looking goes."""
    deadline = time.monotonic() + within
    while not is_so():
        assert sender.runs(), f"the sender ended: {sender.ended(within)}"
        assert time.monotonic() < deadline, f"not so after {within:g} s"
