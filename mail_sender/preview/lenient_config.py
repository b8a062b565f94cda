"""The configuration of mails, read leniently: the template commands work although other parts of it have faults.

Unlike the sender, these commands need no client config, and only those keys of the mail-sender config that make a
mail. A made-up value replaces one that is missing or faulty, and faults are collected, not raised. If there is no
file, every value is made up and the templates are the built-in ones.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from mail_sender.config import appearance, headers, sources, stand_ins
from mail_sender.config.faults import checked
from mail_sender.config.keys import SenderFile
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigError, ConfigFault
from mail_sender.mail.config import MailConfig
from mail_sender.names.characters import visible
from mail_sender.templating import template_files
from mail_sender.templating.appearance import Appearance

_TABLES = frozenset({"templates", "brand"})


@dataclass(frozen=True)
class LenientConfig:
    """How mails look, with the faults that were found while reading it.

    `config` is None if there is no such file, `folder` is the operator's override folder. `faults` are those of the
    folder and of the tables about it, `elsewhere` all others; `unusable` says that no templates could be loaded.
    """

    config: Path | None
    mail: MailConfig
    folder: Path | None = None
    faults: tuple[ConfigFault, ...] = ()
    elsewhere: tuple[ConfigFault, ...] = ()
    warnings: tuple[str, ...] = ()
    unusable: bool = False

    @property
    def usable(self) -> "LenientConfig":
        """The same, if a mail can be made with it. Raises `ConfigError` if not."""
        if self.unusable:
            raise ConfigError(list(self.faults), list(self.warnings))
        return self

    def place(self, name: str) -> Path:
        """Return the path of a file of the template set, by its name in the set."""
        templates = self.mail.appearance.templates
        override = self.folder if name in templates.theirs else None
        return (override or template_files.shipped_folder()) / name


def read(path: Path) -> LenientConfig:
    """Return how mails look by a mail-sender config.

    Raises `ConfigError` if the file exists, but cannot be read at all.
    """
    found = sources.read_sender(path)
    file = found.sender
    if file.is_missing and file.faults:
        return LenientConfig(None, appearance.mail(stand_ins.sender({}), Appearance()))
    if file.faults:
        raise ConfigError(file.faults, [])
    faults, warnings = found.faults, found.warnings
    sender = checked(file, SenderFile, faults, warnings) or stand_ins.sender(file.values)
    loaded = appearance.appearance(file, sender, faults, warnings)
    header_faults = list(headers.faults(file))
    faults += header_faults
    return LenientConfig(
        config=path,
        mail=_mail(sender, loaded or Appearance(), {fault.key for fault in header_faults}),
        folder=sender.templates.override_path,
        faults=tuple(fault for fault in faults if _is_of_templates(fault, file)),
        elsewhere=tuple(fault for fault in faults if not _is_of_templates(fault, file)),
        warnings=tuple(map(visible, warnings)),
        unusable=loaded is None,
    )


def _is_of_templates(fault: ConfigFault, file: TomlFile) -> bool:
    return fault.path not in file.places or fault.key.partition(".")[0] in _TABLES


def _mail(sender: SenderFile, loaded: Appearance, faulty: set[str]) -> MailConfig:
    mail = appearance.mail(sender, loaded)
    return replace(mail, headers=tuple(pair for pair in mail.headers if f"headers.{pair[0]}" not in faulty))
