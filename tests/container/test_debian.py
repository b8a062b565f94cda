"""A newcomer's path on a fresh Debian: every command of docs/debian.md, typed in its sequence, prints what the page shows.

The Debian is the base of the image, and the package index is the wheelhouse. `systemctl` has a stand-in, and `git` is the
test's own: it puts another version in the place of this one.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli

from mail_sender.cli.init.questions import QUESTIONS
from tests.container.image import CLONE, PODMAN, Image
from tests.repo import blocks, checkout
from tests.support import shown
from tests.support.conversation import Conversation
from tests.support.stub import Stub

pytestmark = [pytest.mark.debian("buildah", "debootstrap", "podman", "runc"), pytest.mark.timeout(600)]

HOME = "/usr/local/src/mail-sender"
STEPS = shown.after_prompts("docs/debian.md")
UPGRADE = next(number for number, (_, command, _) in enumerate(STEPS) if command.startswith("umask"))
NEXT = "99.0.0"
PROMPT = "READY# "
SECONDS = 120.0  # for one command, pip among them
QUESTION = re.compile(r"^  (.+?)(?: \(yes/no\))?(?: \[.*\])?:(?: (.*))?$", re.MULTILINE)
MARKED = "grep -q -m 1 ' marked ' <(exec tail -n +1 -f /var/log/unit.log)"
"""Waits for this line of the sender's log, which systemctl.py keeps."""
SECRETS = {"Token": "token", "Password at the relay": "mail_password"}


class Newcomer:
    """Somebody at a terminal of a fresh Debian, with a clone."""

    def __init__(self, talk: Conversation, clone: Path, stub: Stub) -> None:
        self._talk, self._clone, self._stub = talk, clone, stub
        self._end = 0
        self.printed()
        self.bash("stty -echo; mkdir -p /etc/systemd/system")

    def does(self, prompt: str, command: str, expected: str) -> None:
        """Type a command of the page, and compare what it prints."""
        if prompt == "$":
            printed = self._at_the_stub(command)
        elif command.startswith("git "):
            printed = self._git(command)
        elif command == "mail-sender init":
            printed = self._init(expected)
        else:
            printed = self.bash(command)
        assert shown.is_like(expected, printed), f"{command}\n{printed}\nand the page shows:\n{expected}"
        assert NEXT in printed or command != "mail-sender --version"

    def bash(self, command: str) -> str:
        """Have the shell run a command to its end; return what it printed."""
        self._talk.type(f"{command}\n")
        return self.printed()

    def printed(self) -> str:
        """Wait for the prompt; return what was printed since the one before."""
        until_now = self._talk.expect(PROMPT)
        start, self._end = self._end, len(until_now)
        return until_now[start : -len(PROMPT)]

    def _at_the_stub(self, command: str) -> str:
        """Queue something, and wait until it is marked as sent."""
        program, *arguments = command.removesuffix(" --dir stub").split()
        assert program == "server-stub"
        said = self._stub.run(*arguments).stdout
        self.bash(MARKED)
        return said

    def _git(self, command: str) -> str:
        """Put the next version into the clone, which has one more table, or this one again."""
        module, table = self._clone / "mail_sender/__init__.py", self._clone / "mail_sender/ledger/schema/9999.sql"
        if "pull" in command:
            module.write_text(re.sub(r"(?m)^__version__ = .*", f'__version__ = "{NEXT}"', module.read_text()))
            table.write_text("CREATE TABLE next (x);")
        else:
            shutil.copy(CLONE / "mail_sender/__init__.py", module)
            table.unlink()
        return ""

    def _init(self, expected: str) -> str:
        """Answer as the page does; secrets and ports are those of the stub."""
        values = tomli.loads(self._stub.sender_config.read_text())
        asked = {question.text for question in QUESTIONS.values()} | {"Write them?"}
        self._talk.type("stty echo; mail-sender init; stty -echo\n")
        page = expected.replace("8443", str(self._stub.ports["api"])).replace("8465", str(self._stub.ports["smtps"]))
        for question, answer in QUESTION.findall(page):
            if question in asked:
                self._talk.answer(f"  {question}", values[SECRETS[question]] if question in SECRETS else answer)
        return self.printed()


@pytest.fixture
def newcomer(image: Image, stub: Stub, tmp_path: Path) -> Iterator[Newcomer]:
    """Give somebody at a terminal of a Debian with nothing but Python."""
    clone = tmp_path / "clone"
    for file in checkout.files():
        (clone / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(checkout.ROOT / file, clone / file)
    (clone / "stub").mkdir()
    mounts = [
        f"{clone}:{HOME}",
        f"{stub.dir}:{HOME}/stub:ro",
        f"{CLONE}/wheelhouse:/wheels:ro",
        f"{Path(__file__).with_name('systemctl.py')}:/usr/local/bin/systemctl:ro",
    ]
    environment = {
        "PS1": PROMPT,
        "TERM": "dumb",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "/wheels",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_COMPILE": "1",  # of most modules nobody needs the bytecode here
    }
    options = [f"--volume={one}" for one in mounts] + [f"--env={key}={value}" for key, value in environment.items()]
    base = image.declared["Labels"]["org.opencontainers.image.base.name"]
    command = [PODMAN, "run", "--rm", "-it", "--network=host", "--hostname=idm1", f"--workdir={HOME}", *options]
    with Conversation([*command, base, "bash", "--norc", "--noediting"], deadline=SECONDS) as talk:
        yield Newcomer(talk, clone, stub)
        talk.type("systemctl stop mail-sender; exit\n")
        talk.end()


def test_a_newcomer_gets_from_a_fresh_debian_to_a_service_that_sends(newcomer: Newcomer, stub: Stub) -> None:
    """From the installation to a restart; a test mail and a reset are sent, each once."""
    for step in STEPS[:UPGRADE]:
        newcomer.does(*step)
    assert [mail["To"] for mail in stub.mails()] == ["you@example.com", "ellie@example.com"]


@pytest.mark.soak
def test_a_newcomer_upgrades_and_goes_back(newcomer: Newcomer, stub: Stub) -> None:
    """The whole page; whatever version runs, nothing is mailed twice."""
    for step in STEPS:
        newcomer.does(*step)
    assert len(stub.mails()) == 2


def test_the_readme_installs_in_the_same_way() -> None:
    """Its commands are those of the page, which are tried out."""
    typed = {command for _, command, _ in STEPS}
    (ours,) = (text for text in blocks.under("README.md", "sh") if "/opt/mail-sender/bin/pip" in text)
    assert [line for line in ours.splitlines() if line not in typed] == []
