"""What is asked, and what is not: as little as the loader can do with."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from mail_sender.cli.init.answers import AnswerBook
from mail_sender.cli.init.dialogue import Dialogue
from mail_sender.cli.init.draft import Base
from mail_sender.cli.init.questions import QUESTIONS
from mail_sender.errors import ConfigError
from tests.support.config_files import SENDER, lines

GIVEN = {"uri": "https://idm.example.com", **{key: text.strip('"') for key, text in SENDER.items()}}
WITHOUT_RELAY = {
    key: text for key, text in GIVEN.items() if key not in {"mail_relay", "mail_username", "mail_password"}
}


class Scripted(Dialogue):
    """Somebody at a terminal who answers from a list, each answer with the question that it is for."""

    def __init__(self, *answers: tuple[str, str]) -> None:
        super().__init__(asks=True)
        self.answers, self.said, self.proposed = list(answers), list[str](), list[str | None]()

    def write(self, text: str) -> None:
        self.said.append(text)

    def ask(self, text: str, default: str | None = None, *, hidden: bool = False) -> str:
        self.proposed.append(default)
        key, answer = self.answers.pop(0)
        assert text == QUESTIONS[key].text
        assert hidden == QUESTIONS[key].is_secret
        return answer or default or ""


def book(
    *answers: tuple[str, str], given: Mapping[str, str], sender_text: str | None = None, is_kept: bool = False
) -> tuple[AnswerBook, Scripted]:
    dialogue = Scripted(*answers)
    base = Base(Path("/etc/kanidm/config"), Path("/etc/kanidm/mail-sender"), None, sender_text)
    return AnswerBook(base, given, dialogue, lambda _: not is_kept), dialogue


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        (
            [("mail_relay", "smtps://r.example.com"), ("mail_username", "idm"), ("mail_password", "word")],
            {"mail_relay": "smtps://r.example.com", "mail_username": "idm", "mail_password": "word"},
        ),
        ([("mail_relay", "r.example.com"), ("mail_username", "")], {"mail_relay": "r.example.com", "mail_username": ""}),
        ([("mail_relay", "smtps://a:b@r.example.com")], {"mail_relay": "smtps://a:b@r.example.com"}),
        (
            [("mail_relay", "sendgrid"), ("mail_password", "key")],  # whose user is the same for everybody
            {"relay.preset": "sendgrid", "mail_password": "key"},
        ),
        (
            [("mail_relay", "ses"), ("relay.region", "x"), ("relay.region", "eu-central-1"),
             ("mail_username", "a"), ("mail_password", "b")],
            {"relay.preset": "ses", "relay.region": "eu-central-1", "mail_username": "a", "mail_password": "b"},
        ),
        (
            [("mail_relay", "smtps://"), ("mail_relay", "host:99999"), ("mail_relay", "r.example.com"), ("mail_username", "")],
            {"mail_relay": "r.example.com", "mail_username": ""},
        ),
    ],
    ids=["login", "no login", "login in the URL", "provider's user", "provider's region", "bad ones"],
)  # fmt: skip
def test_a_relay_is_asked_for_with_what_it_needs(answers: list[tuple[str, str]], result: dict[str, str]) -> None:
    """Each question once, unless its answer is no good; a provider's name stands for what is known of it."""
    found, dialogue = book(*answers, given=WITHOUT_RELAY)
    found.settle("mail_relay", "relay.region")
    found.settle_login()
    found.settle_all()
    assert dialogue.answers == []
    assert {key: found.value(key) for key in result} == result
    assert found.draft.subject.reading.faults == ()
    assert set(dialogue.proposed) == {None}  # what is no good is not proposed again


def test_another_relay_takes_the_place_of_a_provider() -> None:
    """Nothing of the first answer stays."""
    found, _ = book(("mail_relay", "ses"), ("mail_relay", "r.example.com"), given=WITHOUT_RELAY)
    found.ask("mail_relay")
    found.ask("mail_relay")
    assert (found.value("mail_relay"), found.value("relay.preset")) == ("r.example.com", None)


def test_what_a_config_has_is_not_asked_for() -> None:
    """One of Kanidm's sender may do without a login: it had none."""
    text = "".join(
        f"{key} = {value}\n" for key, value in SENDER.items() if key not in {"mail_username", "mail_password"}
    )
    found, dialogue = book(sender_text=text, given={"uri": GIVEN["uri"]})
    found.settle("uri", "token", "mail_relay", "relay.region")
    found.settle_login()
    found.settle_all()
    assert dialogue.said == []
    assert found.draft.sender_text == text


def test_a_secret_of_the_environment_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader finds it there: a second one in the file would be a fault."""
    monkeypatch.setenv("MAIL_SENDER_TOKEN", GIVEN["token"])
    found, dialogue = book(given={key: text for key, text in GIVEN.items() if key != "token"})
    found.settle("token")
    found.settle_all()
    assert dialogue.said == []
    assert "token" not in found.draft.sender_text


def test_what_is_wrong_only_together_is_asked_for_again() -> None:
    """An example's name beside real ones is found when all of them are there."""
    real = {
        "mail_reply_to_address": "it@kanidm.com",
        "instance_url": "https://idm.kanidm.com",
        "uri": "https://idm.kanidm.com",
    }
    found, dialogue = book(
        ("mail_from_address", "idm@kanidm.com"), given={**GIVEN, **real, "mail_relay": "mail.kanidm.com"}
    )
    found.settle_all()
    assert dialogue.answers == []
    assert any("is still the example's" in text for text in dialogue.said)


@pytest.mark.parametrize(
    "change", [{"mail_from_address": '"idm"'}, {"mail_from_address": None}], ids=["bad", "missing"]
)
def test_a_config_with_a_fault_is_mended_if_it_may_be_changed(change: dict[str, str | None]) -> None:
    """Where it is kept, its fault is said at once, and not after ten questions."""
    text = lines({**SENDER, **change})
    found, dialogue = book(("mail_from_address", "idm@example.com"), sender_text=text, given={"uri": GIVEN["uri"]})
    found.settle("mail_from_address")
    assert dialogue.answers == []
    found.settle_all()
    kept, _ = book(sender_text=text, is_kept=True, given={"uri": GIVEN["uri"]})
    with pytest.raises(ConfigError, match="mail_from_address"):
        kept.settle("mail_from_address")


def test_a_fault_that_no_question_is_about_ends_it() -> None:
    """It stands in a file of the operator's: only there it can be mended."""
    text = "".join(f"{key} = {value}\n" for key, value in SENDER.items()) + "\n[retry]\nmessage_retries = -1\n"
    found, _ = book(sender_text=text, given={"uri": GIVEN["uri"]})
    with pytest.raises(ConfigError, match=r"retry\.message_retries"):
        found.settle_all()
