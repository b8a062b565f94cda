"""What the template verbs work on: how mails look, as far as the mail-sender config tells it.

Unlike the sender's start they need no client config, and of this one only what makes a mail: a fault elsewhere is
told and no more, and a made-up value stands in for what is missing or wrong. Where there is no file yet, everything
is made up and the templates are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mail_sender.config import appearance, headers
from mail_sender.config.faults import checked
from mail_sender.config.keys import SenderFile
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigError, ConfigFault
from mail_sender.mail.config import MailConfig
from mail_sender.templating import template_files
from mail_sender.templating.appearance import Appearance

STAND_INS: Mapping[str, str] = {
    "token": "none",
    "instance_display_name": "Example Identity",
    "instance_url": "https://idm.example.com",
    "mail_from_address": "idm@example.com",
    "mail_reply_to_address": "support@example.com",
    "mail_relay": "smtps://relay.example.com",
}
"""What stands in for a required key; none of it goes anywhere."""
_TABLES = frozenset({"templates", "brand"})


@dataclass(frozen=True)
class Basis:
    """What a mail-sender config makes of mails.

    `config` is None where there is no such file, `folder` is the operator's. `faults` are those of the folder and of
    the tables about it, `elsewhere` the others; `unusable` says that no templates could be loaded at all.
    """

    config: Path | None
    mail: MailConfig
    folder: Path | None = None
    faults: tuple[ConfigFault, ...] = ()
    elsewhere: tuple[ConfigFault, ...] = ()
    warnings: tuple[str, ...] = ()
    unusable: bool = False

    @property
    def usable(self) -> "Basis":
        """This basis, where a mail can be made on it.

        Raises `ConfigError`.
        """
        if self.unusable:
            raise ConfigError(list(self.faults), list(self.warnings))
        return self

    def place(self, name: str) -> Path:
        """Return where a file of the template set lies, by its name in it."""
        templates = self.mail.appearance.templates
        theirs = self.folder if templates.is_theirs(name) else None
        return (theirs or template_files.shipped_folder()) / name


def read(path: Path) -> Basis:
    """Return what a mail-sender config makes of mails.

    Raises `ConfigError` where the file is there, but cannot be read at all.
    """
    file = TomlFile(path)
    if _is_missing(path):
        return Basis(None, appearance.mail(_with_stand_ins({}), Appearance()))
    if file.faults:
        raise ConfigError(file.faults, [])
    faults: list[ConfigFault] = []
    warnings: list[str] = []
    sender = checked(file, SenderFile, faults, warnings) or _with_stand_ins(file.values)
    looks = appearance.appearance(file, sender, faults, warnings)
    no_headers = list(headers.faults(file))
    faults += no_headers
    override = sender.templates.override_path
    return Basis(
        config=path,
        mail=_mail(sender, looks or Appearance(), {fault.key for fault in no_headers}),
        folder=Path(override) if override else None,
        faults=tuple(fault for fault in faults if _is_ours(fault, path)),
        elsewhere=tuple(fault for fault in faults if not _is_ours(fault, path)),
        warnings=tuple(warnings),
        unusable=looks is None,
    )


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):  # it is there, or no path at all: reading it has told why it cannot be used
        return False
    return False


def _is_ours(fault: ConfigFault, config: Path) -> bool:
    return fault.path != config or fault.key.partition(".")[0] in _TABLES


def _with_stand_ins(values: Mapping[str, Any]) -> SenderFile:
    """Return the file's values, without those that are faulty."""
    kept = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    try:
        return SenderFile.model_validate({**STAND_INS, **kept})
    except ValidationError as error:
        for detail in error.errors():
            _leave_out(kept, *detail["loc"][:2])
    return SenderFile.model_validate({**STAND_INS, **kept})


def _leave_out(values: dict[str, Any], key: int | str, inner: int | str | None = None) -> None:
    table = values.get(str(key))
    if inner is not None and isinstance(table, dict):
        table.pop(inner, None)
    else:
        values.pop(str(key), None)


def _mail(sender: SenderFile, looks: Appearance, faulty: set[str]) -> MailConfig:
    mail = appearance.mail(sender, looks)
    return replace(mail, headers=tuple(both for both in mail.headers if f"headers.{both[0]}" not in faulty))
