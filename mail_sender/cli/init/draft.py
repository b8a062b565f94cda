"""The two files as they would be written: made of the answers, and not on the disk yet.

New files have a comment above each key. Files that are there already keep their text, and only the answers are
changed in it (`toml_text`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mail_sender.cli.init import toml_text
from mail_sender.cli.init.questions import QUESTIONS, File
from mail_sender.cli.init.toml_text import CannotChange
from mail_sender.config import sources, subject
from mail_sender.config.toml_file import TomlFile
from mail_sender.doctor.subject import Subject
from mail_sender.errors import ConfigFault, UsageError

_CLIENT = """\
# Kanidm's client config: where the identity server is. Kanidm's own tools read it, too.
"""
_SENDER = """\
# The mail-sender config. `mail-sender doctor` says whether all of it works.
"""
_COMMENTS = {
    "instance_display_name": "The name before each subject, and beside the From and Reply-To addresses.",
    "instance_url": "The links in mails begin with this URL.",
    "mail_from_address": "The sender that people see, and the address that receives their answers.",
    "token": "The token of a service account in idm_message_senders, made with --readwrite.",
    "token_path": "The file with the token of a service account in idm_message_senders, made with --readwrite.",
    "mail_relay": "The relay: smtps://host[:465], or smtp://host[:587] (STARTTLS). TLS is always used and checked.",
    "mail_username": "The login at the relay.",
}


@dataclass(frozen=True, slots=True)
class Base:
    """What the two files begin with: where they will be, and their text so far, None if there is none."""

    client_path: Path
    sender_path: Path
    client_text: str | None = None
    sender_text: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """The texts of the two files."""

    base: Base
    client_text: str
    sender_text: str

    @property
    def subject(self) -> Subject:
        """What the configuration's loader makes of it."""
        client_file = TomlFile(self.base.client_path, self.client_text)
        sender_file = TomlFile(self.base.sender_path, self.sender_text)
        return subject.of_sources(sources.of_files(client_file, sender_file))


def made(base: Base, answers: Mapping[str, str | None]) -> Draft:
    """Return the two files that the answers make; None takes a key out.

    Raises `UsageError` if a text cannot be changed that way.
    """
    texts = {File.CLIENT: base.client_text, File.SENDER: base.sender_text}
    paths = {File.CLIENT: base.client_path, File.SENDER: base.sender_path}
    for file, fresh in ((File.CLIENT, _CLIENT), (File.SENDER, _SENDER)):
        own = {key: value for key, value in answers.items() if _file(key) is file}
        given = texts[file]
        texts[file] = _fresh(fresh, own) if given is None else _changed(paths[file], given, own)
    return Draft(base, str(texts[File.CLIENT]), str(texts[File.SENDER]))


def faults_of(found: Subject, key: str) -> list[ConfigFault]:
    """Return what the loader finds wrong with one key."""
    return [fault for fault in (*found.reading.faults, *found.reading.template_faults) if fault.key == key]


def _file(key: str) -> File:
    return QUESTIONS[key].file if key in QUESTIONS else File.SENDER


def _fresh(heading: str, answers: Mapping[str, str | None]) -> str:
    lines, begun = [heading], ""
    for key, value in sorted(answers.items(), key=lambda answer: answer[0].rpartition(".")[0]):  # tables come last
        table, _, name = key.rpartition(".")
        if value is None or (not value and QUESTIONS[key].is_optional):
            continue
        if table != begun:
            lines.append(f"\n[{table}]\n")
            begun = table
        elif comment := _COMMENTS.get(key):
            lines.append(f"\n# {comment}\n")
        lines.append(f"{name} = {toml_text.quoted(value)}\n")
    return "".join(lines)


def _changed(path: Path, text: str, answers: Mapping[str, str | None]) -> str:
    try:
        return toml_text.changed(text, {tuple(key.split(".")): value or None for key, value in answers.items()})
    except CannotChange as error:
        raise UsageError(
            f"{path}: {error} cannot be changed here, since its value does not stand on one line; change it by hand"
        ) from None
