"""The two files that answers make are what the configuration's loader takes."""

from pathlib import Path

import pytest
import tomli

from mail_sender.cli.init import draft, kanidm_commands
from mail_sender.cli.init.draft import Base
from mail_sender.cli.init.kanidm_commands import BadAccount
from mail_sender.errors import UsageError
from tests.repo import checkout
from tests.support.config_files import SENDER

BASE = Base(Path("/etc/kanidm/config"), Path("/etc/kanidm/mail-sender"))
ANSWERS = {"uri": "https://idm.example.com", **{key: text.strip('"') for key, text in SENDER.items()}}


def test_fresh_files_have_every_answer_and_are_without_a_fault() -> None:
    """Tables stand at the end, whatever the sequence of the answers is."""
    made = draft.made(
        BASE,
        {
            "relay.region": "eu",
            "ledger.path": "/var/lib/idm",
            "relay.preset": "sendgrid",
            "relay.ca_path": "",
            **ANSWERS,
        },
    )
    assert made.subject.reading.faults == ()
    assert tomli.loads(made.client_text) == {"uri": ANSWERS["uri"]}
    expected = {key: text for key, text in ANSWERS.items() if key != "uri"} | {
        "ledger": {"path": "/var/lib/idm"},
        "relay": {"region": "eu", "preset": "sendgrid"},
    }
    assert tomli.loads(made.sender_text) == expected


def test_a_fault_is_known_by_its_key_before_anything_is_written() -> None:
    """The loader speaks of the file that is to be."""
    (fault,) = draft.faults_of(draft.made(BASE, {**ANSWERS, "mail_from_address": "idm"}).subject, "mail_from_address")
    assert fault.path == BASE.sender_path
    assert "has no @-sign" in fault.found


def test_a_text_that_cannot_be_changed_is_said_with_its_file_and_key() -> None:
    """Then nothing is guessed."""
    base = Base(BASE.client_path, BASE.sender_path, None, 'token = """\nold"""\n')
    with pytest.raises(UsageError, match="/etc/kanidm/mail-sender: token cannot be changed here"):
        draft.made(base, ANSWERS)


def test_the_readme_has_the_commands_that_init_prints() -> None:
    """Whoever follows the one makes the same account as who follows the other."""
    readme = (checkout.ROOT / "README.md").read_text()
    assert "\n".join(["```sh", *kanidm_commands.commands("mail-sender"), "```"]) in readme


@pytest.mark.parametrize("name", ["", "1st", "ellie@example.com", "a b", "$(id)", "x" * 80])
def test_a_name_that_no_account_can_have_is_refused(name: str) -> None:
    """It would end up in somebody's shell."""
    with pytest.raises(BadAccount):
        kanidm_commands.checked(name)
