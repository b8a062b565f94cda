"""Sets a sender up: the steps in their order, from the first question to the doctor's report.

1. What is there already: files that must not be replaced, a configuration to begin with, another sender that runs.
2. The answers, topic by topic. Each is checked by the loader, and then tried out by the doctor's checks.
3. The two files are written, both or neither, and the state folder is made.
4. The doctor examines all of it, as `mail-sender doctor` does.

Until step 3 nothing is changed, whatever happens.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import typer

from mail_sender.cli import doctor_output
from mail_sender.cli.doctor import TOPICS
from mail_sender.cli.init import beginning, files, kanidm_commands, next_steps, secrets_apart, state
from mail_sender.cli.init import owner as owners
from mail_sender.cli.init.answers import AnswerBook
from mail_sender.cli.init.checks import Checks
from mail_sender.cli.init.dialogue import Dialogue
from mail_sender.cli.init.draft import Base
from mail_sender.cli.init.files import NewFile
from mail_sender.cli.init.owner import Owner
from mail_sender.cli.init.questions import QUESTIONS, Answers, File
from mail_sender.doctor import other_sender
from mail_sender.doctor.finding import Finding, Topic
from mail_sender.errors import Exit, MailSenderError, UsageError
from mail_sender.ledger import state_folder

_STOPPED = "stopped; nothing was changed"
_STOPPED_LATER = "stopped; the files are written, and `mail-sender doctor` says whether they work"
_AGAIN, _CHANGE, _GO_ON = "again", "change", "go on"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line.

    `given` are the answers that were given as options. `account` is the name of the account in Kanidm, `user` that of
    the user who will run the sender. `keeps_secrets_apart` gives token and password files of their own, `replaces`
    allows to replace files. One that is `offline` asks nobody on the network.
    """

    base: Base
    given: Answers = field(repr=False)
    account: str
    user: str | None = None
    keeps_secrets_apart: bool = False
    replaces: bool = False
    offline: bool = False
    debug: bool = False


class Stopped(MailSenderError):
    """Somebody pressed Ctrl-C, or closed the terminal; the message says what is changed by then."""

    exit_code = Exit.FAILED


class NotUsable(MailSenderError):
    """A check found a fault, and nobody can be asked what to do about it."""


class Setup:
    """One run of `init`."""

    def __init__(self, request: Request, dialogue: Dialogue) -> None:
        self._request, self._dialogue = request, dialogue
        self._base = request.base
        self._answers = AnswerBook(request.base, request.given, dialogue, self._may_change)
        self._checks = Checks(dialogue.begin, debug=request.debug)
        self._is_written = False

    def run(self) -> Exit:
        """Go through all steps; return the doctor's exit code. Raises `MailSenderError`."""
        try:
            owner = self._begin()
            self._server()
            self._mails()
            self._account()
            self._relay()
            self._state(owner)
            self._answers.settle_all()
            self._write(owner)
            return self._end(owner)
        except (KeyboardInterrupt, EOFError, typer.Abort):
            typer.echo()
            raise Stopped(_STOPPED_LATER if self._is_written else _STOPPED) from None

    def _begin(self) -> Owner:
        """Say what is there already, and find out whose the files will be. Raises `UsageError`."""
        for found in other_sender.running():
            self._dialogue.write(
                f"{found} runs here. Stop it before you start mail-sender: two send every mail twice."
            )
            self._dialogue.show(found.stop)
        owner = self._owner()
        if not self._dialogue.asks:
            self._refuse_missing(owner)
        draft = self._answers.draft
        wanted = beginning.new_files(draft, owner or owners.of(None), replaces=self._request.replaces)
        files.require_writable(wanted)
        if owner is None:
            owner = self._asked_for_owner()
        return owner

    def _owner(self) -> Owner | None:
        if self._request.user is not None or not owners.is_root():
            return owners.of(self._request.user)
        return owners.of(owners.USUAL) if owners.is_known(owners.USUAL) else None

    def _asked_for_owner(self) -> Owner:
        self._dialogue.head("The user that runs the sender")
        self._dialogue.write("It must not be root. In the container it is 10001.")
        while True:
            try:
                return owners.of(self._dialogue.ask("User", owners.USUAL))
            except UsageError as error:
                self._dialogue.write(f"{error}.")

    def _refuse_missing(self, owner: Owner | None) -> None:
        """Raise `UsageError` with all options that are missing."""
        missing = [(question.flag, question.meaning) for question in self._answers.missing()]
        if owner is None:
            missing.append(("--user", "the user that runs the sender (10001 in the container)"))
        if missing:
            lines = [f"  {flag:16} {meaning}" for flag, meaning in missing]
            raise UsageError("\n".join(["init is missing these options, since it cannot ask for them:", *lines]))

    def _server(self) -> None:
        self._dialogue.head("The identity server")
        self._answers.settle("uri")
        self._try_out(Topic.SERVER, ("uri",), "ca_path", without=("token",))

    def _mails(self) -> None:
        self._dialogue.head("The mails")
        self._answers.settle("instance_display_name", "instance_url", "mail_from_address", "mail_reply_to_address")

    def _account(self) -> None:
        self._dialogue.head("The account in Kanidm")
        if self._answers.value("token") is None:
            self._dialogue.write("Run these commands as idm_admin (kanidm login -D idm_admin), on any machine:")
            self._dialogue.show(*kanidm_commands.commands(self._request.account))
        self._answers.settle("token")
        self._try_out(Topic.SERVER, ("token",))

    def _relay(self) -> None:
        self._dialogue.head("The relay")
        self._answers.settle("mail_relay", "relay.region")
        self._try_out(Topic.RELAY, ("mail_relay",), "relay.ca_path", without=("mail_password",))
        if self._dialogue.asks and (provider := self._answers.provider) and provider.oauth:
            self._dialogue.write(
                f"For OAuth at {provider.name}, leave the user empty, and write [relay.oauth] later."
            )
        self._answers.settle_login()
        self._try_out(Topic.RELAY, ("mail_username", "mail_password"))

    def _try_out(
        self, topic: Topic, keys: tuple[str, ...], ca: str | None = None, without: tuple[str, ...] = ()
    ) -> None:
        """Make the checks of a topic; where they find a fault, ask what to do about it.

        `keys` are the answers that may be wrong, `ca` names the key of a CA that may be missing. Raises `NotUsable`.
        """
        while not self._request.offline:
            if self._dialogue.asks:
                self._dialogue.write("Trying it out ...")
            faults = self._checks.faults(topic, self._answers.draft.subject, without)
            if not faults:
                return
            if not self._dialogue.asks:
                raise NotUsable("nothing was written: mend what is at fault, or add --offline to ask nobody")
            if ca and _names_ca(faults) and self._has_got(ca):
                continue
            choices = (_AGAIN, _CHANGE, _GO_ON) if all(map(self._may_change, keys)) else (_AGAIN, _GO_ON)
            choice = self._dialogue.choose("Try again, change it, or go on?", choices)
            if choice == _GO_ON:
                return
            for key in keys if choice == _CHANGE else ():
                self._answers.ask(key)
            self._answers.settle(*keys)

    def _has_got(self, ca: str) -> bool:
        """Ask for a CA where it may be changed; say whether there is one now."""
        if not self._may_change(ca):
            return False
        self._answers.ask(ca)
        self._answers.settle(ca)
        return bool(self._answers.value(ca))

    def _may_change(self, key: str) -> bool:
        """Say whether an answer may be changed: a file that is there is kept, unless it may be replaced."""
        path = self._base.client_path if QUESTIONS[key].file is File.CLIENT else self._base.sender_path
        return self._request.replaces or not path.exists()

    def _state(self, owner: Owner) -> None:
        """Name a state folder, if the usual one is not for this user."""
        proposed = state.proposal(self._base.sender_path, owner) if self._may_change("ledger.path") else None
        if self._answers.value("ledger.path") is None and proposed is not None:
            self._dialogue.head("The ledger")
            self._dialogue.write(
                f"User {owner.name} cannot use {state_folder.DEFAULT}: another state folder is needed."
            )
            self._answers.put("ledger.path", proposed)
            if self._dialogue.asks:
                self._answers.ask("ledger.path")
                self._answers.settle("ledger.path")

    def _write(self, owner: Owner) -> None:
        made, secrets = self._answers.draft, list[NewFile]()
        if self._request.keeps_secrets_apart:
            made, secrets = secrets_apart.moved(self._base, self._answers, owner)
        wanted = beginning.new_files(made, owner, *secrets, replaces=self._request.replaces)
        self._dialogue.head("The files")
        if not wanted:
            self._dialogue.write("Both files are used as they are: nothing is written.")
        else:
            self._dialogue.write(
                "These files are to be written:" if self._dialogue.asks else "These files are written:"
            )
            self._dialogue.show(*(f"{file.path}  ({owners.shown(file.rights)})" for file in wanted))
            if self._dialogue.asks and self._dialogue.choose("Write them?", ("yes", "no")) == "no":
                raise Stopped(_STOPPED)
        with files.undisturbed():
            kept = files.write(wanted, datetime.now(UTC), replaces=self._request.replaces)
            self._is_written = bool(wanted)
        for path in kept:
            self._dialogue.write(f"The file that was there is kept as {path}.")
        if (folder := state.make(self._answers.value("ledger.path"), owner)) is not None:
            self._dialogue.write(f"Made the state folder {folder} for {owner.name}.")

    def _end(self, owner: Owner) -> Exit:
        if self._request.offline:
            code = Exit.DONE
        else:
            self._dialogue.head("mail-sender doctor")
            self._dialogue.begin()
            paths = self._base.client_path, self._base.sender_path
            code = doctor_output.print_report(paths, "text", TOPICS, debug=self._request.debug)
        self._dialogue.head("What comes next")
        for text, command in next_steps.commands(self._base.client_path, self._base.sender_path, owner):
            self._dialogue.write(text)
            self._dialogue.show(command)
        return code


def _names_ca(faults: list[Finding]) -> bool:
    """Say whether a fault may be cured by naming a CA."""
    return any("ca_path" in (fault.advice or "") for fault in faults)
