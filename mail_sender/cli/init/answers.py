"""The answers: those that were given beforehand, and those that are asked for, each checked by the loader at once."""

from collections.abc import Callable, Mapping

from mail_sender.cli.init import draft
from mail_sender.cli.init.dialogue import Dialogue
from mail_sender.cli.init.draft import Base, Draft
from mail_sender.cli.init.questions import QUESTIONS, Answers, File, Question
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigError, ConfigFault, UsageError
from mail_sender.relay import relay_url
from mail_sender.relay.presets import Preset, presets

_STAND_IN = "-"


class AnswerBook:
    """The answers so far, on top of what stands in the two files; `may_change` says which of it may be asked for."""

    def __init__(self, base: Base, given: Answers, dialogue: Dialogue, may_change: Callable[[str], bool]) -> None:
        self._base, self._dialogue, self._may_change = base, dialogue, may_change
        self._given = {key: QUESTIONS[key].taken(text) for key, text in given.items()}
        self._asked: set[str] = set()
        self._there = {
            File.CLIENT: TomlFile(base.client_path, base.client_text or ""),
            File.SENDER: TomlFile(base.sender_path, base.sender_text or ""),
        }

    @property
    def draft(self) -> Draft:
        """The two files that the answers make."""
        return self.drafted({})

    def drafted(self, changes: Mapping[str, str | None]) -> Draft:
        """Return the two files that the answers make with some changes; None takes a key out."""
        given = {key: self._given[key] for key in QUESTIONS if key in self._given}
        return draft.made(self._base, {**given, **changes})

    def value(self, key: str) -> str | None:
        """Return the answer to a question, or what stands in the files."""
        if (given := self._given.get(key)) is not None:
            return given
        there = self._there[QUESTIONS[key].file].value(tuple(key.split(".")))
        return there if isinstance(there, str) else None

    def put(self, key: str, value: str) -> None:
        """Take an answer that was not asked for."""
        self._given[key] = value

    def settle(self, *keys: str) -> None:
        """Have good answers to these questions: ask for what is missing, and for what the loader does not take.

        Raises `ConfigError` where nobody can be asked, or where the fault stands in a file that is kept.
        """
        for key in keys:
            if self.value(key) is None and (QUESTIONS[key].is_optional or self._faults(key)):
                self._propose(key)
            while faults := self._faults(key):
                self._refuse(key, faults)
                self.ask(key)

    def ask(self, key: str) -> None:
        """Ask a question, whatever its answer was before."""
        question = QUESTIONS[key]
        if key not in self._asked:
            self._dialogue.write(question.hint)
        self._asked.add(key)
        proposed = None if question.is_secret else self.value(key) or self._followed(question)
        answer = self._dialogue.ask(question.text, proposed, hidden=question.is_secret)
        if question.is_secret:
            self._dialogue.write(f"(taken: {len(answer)} characters)")
        self._take(key, answer)

    @property
    def provider(self) -> Preset | None:
        """The provider whose relay it is, if one is named."""
        return presets().get(self.value("relay.preset") or "")

    def missing(self) -> list[Question]:
        """Return the questions without an answer that the sender cannot do without, and that follow no other one."""
        found = self.draft.subject
        wanted = {key for key in QUESTIONS if self.value(key) is None and draft.faults_of(found, key)}
        if self.wants_password():
            wanted.add("mail_password")
        return [question for key, question in QUESTIONS.items() if key in wanted and not question.follows]

    def settle_login(self) -> None:
        """Have a login at the relay, or know that there is none: it is asked for if nothing says so already."""
        if self.value("mail_username") is not None or self._may_need_login():
            self.settle("mail_username")
        if self.wants_password():
            self._propose("mail_password")
            self.settle("mail_password")

    def wants_password(self) -> bool:
        """Say whether there is a user at the relay, but no password."""
        user = self.value("mail_username") or (self.provider and self.provider.username)
        return bool(user) and bool(draft.faults_of(self.draft.subject, "mail_username"))

    def settle_all(self) -> None:
        """Have the loader take all of it: what several answers make together is seen only now."""
        while faults := self._all_faults():
            known = [fault.key for fault in faults if fault.key in QUESTIONS]
            if not known:
                raise ConfigError(faults, [])
            self._refuse(known[0], [fault for fault in faults if fault.key == known[0]])
            self.ask(known[0])
            if self.wants_password():
                self.ask("mail_password")

    def _followed(self, question: Question) -> str | None:
        return self.value(question.follows) if question.follows else None

    def _take(self, key: str, answer: str) -> None:
        """Keep an answer; a provider's name in the place of a relay stands for the provider's relay."""
        if key == "mail_relay":
            for other in ("mail_relay", "relay.preset", "relay.region"):
                self._given.pop(other, None)
            key = "relay.preset" if answer in presets() else key
        self._given[key] = QUESTIONS[key].taken(answer)

    def _may_need_login(self) -> bool:
        """Say whether a login is to be asked for: the relay's URL has none, and no config says what to do."""
        if not self._dialogue.asks or self._base.sender_text is not None:
            return False
        relay = self.value("mail_relay")
        return not (relay_url.parse(relay).username if relay else self.provider and self.provider.username)

    def _propose(self, key: str) -> None:
        """Ask for what is not there; where nobody can be asked, what is optional is left out."""
        question = QUESTIONS[key]
        if not self._may_change(key):
            raise ConfigError(self._faults(key), [])
        if self._dialogue.asks:
            self.ask(key)
        elif (followed := self._followed(question)) is not None:
            self._given[key] = followed
        elif not question.is_optional:
            raise UsageError(f"{question.flag} is missing: {question.meaning}")

    def _faults(self, key: str) -> list[ConfigFault]:
        needs_other_half = key == "mail_username" and "mail_password" not in self._given
        made = self.drafted({"mail_password": _STAND_IN} if needs_other_half else {})
        return draft.faults_of(made.subject, key)

    def _all_faults(self) -> list[ConfigFault]:
        reading = self.draft.subject.reading
        return [*reading.faults, *reading.template_faults]

    def _refuse(self, key: str, faults: list[ConfigFault]) -> None:
        """Say what is wrong with an answer; where it cannot be asked for again, that is the end."""
        if not self._dialogue.asks or not self._may_change(key):
            raise ConfigError(faults, [])
        self._given.pop(key, None)  # what is not good is not proposed
        for fault in faults:
            self._dialogue.write(f"{fault.found}; {fault.expected}.")
