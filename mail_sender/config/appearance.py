"""The look, as the configuration makes it: templates, languages, zone and brand, with the faults of their files."""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from mail_sender.config.keys import SenderFile
from mail_sender.config.toml_file import TomlFile, unreadable_file
from mail_sender.errors import ConfigFault
from mail_sender.mail.config import MailConfig
from mail_sender.mail.render import BrokenTemplate, Unrenderable, render
from mail_sender.templating import check, override_folder, samples, template_set
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.brand import BadLogo, Brand, Logo
from mail_sender.templating.kinds import KINDS
from mail_sender.templating.languages import Languages
from mail_sender.templating.template_files import BadFile
from mail_sender.templating.template_set import TemplateSet

PATIENCE = 5.0
"""Seconds in which specimens are made; all of them usually take a few tenths."""


def appearance(
    file: TomlFile, sender: SenderFile, faults: list[ConfigFault], warnings: list[str]
) -> Appearance | None:
    """Return the look, or None; what is wrong or odd is added to the two lists."""
    table = sender.templates
    languages = Languages(table.default_language, table.second_language, table.language_rules)
    templates = _templates(file, table.override_path, languages, faults, warnings)
    logo = _logo(file, sender.brand.logo_path, faults)
    if templates is None:
        return None
    faults += _unspoken(file, templates, languages)
    warnings += _unreviewed(templates, languages)
    return Appearance(templates, table.html, languages, ZoneInfo(table.time_zone), _brand(sender, logo))


def mail(sender: SenderFile, appearance: Appearance) -> MailConfig:
    """Return what mails look like and whose they are."""
    return MailConfig(
        instance_display_name=sender.instance_display_name,
        instance_url=sender.instance_url,
        from_address=sender.mail_from_address,
        reply_to_address=sender.mail_reply_to_address,
        headers=tuple(sender.headers.items()),
        appearance=appearance,
    )


@dataclass(frozen=True, slots=True)
class Trial:
    """A specimen to be made: its kind, its languages, and whether its recipient has a name."""

    kind: str
    languages: tuple[str, ...]
    is_named: bool = True

    def __str__(self) -> str:
        """Name it."""
        nameless = "" if self.is_named else " to somebody without a name"
        return f"a specimen of {self.kind} in {' and '.join(self.languages)}{nameless}"


def trials(appearance: Appearance) -> list[Trial]:
    """Return each known kind, in each choice of languages that mails are written in, with a name and without."""
    kinds = [kind for kind in appearance.templates.kinds if kind in KINDS]
    choices = appearance.languages.choices
    return [Trial(kind, choice, is_named) for kind in kinds for choice in choices for is_named in (True, False)]


def tried(folder: Path, mail: MailConfig, trials: Iterable[Trial]) -> Iterator[ConfigFault]:
    """Make the specimens; yield a fault for each template in the folder that fails, once.

    Ends after `PATIENCE`: what takes so long has shown that it does, and other mail waits meanwhile.
    """
    ends = time.monotonic() + PATIENCE
    now = datetime.now(UTC).replace(microsecond=0)
    told = set()
    for trial in trials:
        fault = _fault_of(trial, now, mail)
        if fault and fault not in told:
            told.add(fault)
            yield ConfigFault(folder, None, "", fault, f"seen in {trial}")
        if time.monotonic() > ends:
            return


def files(sender: SenderFile) -> list[Path]:
    """Return the files and folders that have a say in the look."""
    found = [Path(sender.brand.logo_path)] if sender.brand.logo_path else []
    if sender.templates.override_path:
        folder = Path(sender.templates.override_path)
        with suppress(OSError):  # told where the templates are loaded
            found += [folder, *override_folder.entries(folder)]
    return found


def _fault_of(trial: Trial, now: datetime, mail: MailConfig) -> str | None:
    spoken = replace(mail, appearance=replace(mail.appearance, languages=Languages.spoken(trial.languages)))
    data = {} if trial.is_named else {"display_name": ""}
    try:
        return render(samples.message(trial.kind, now, data), samples.RECIPIENT, spoken, now).fault
    except (BrokenTemplate, Unrenderable) as error:
        return str(error)


def _templates(
    file: TomlFile, path: str | None, languages: Languages, faults: list[ConfigFault], warnings: list[str]
) -> TemplateSet | None:
    if path is None:
        return template_set.built_in()
    key, folder = ("templates", "override_path"), Path(path)
    try:
        if not folder.is_dir():
            faults.append(file.fault(key, f"{folder}: no such folder", "expected a folder of templates"))
            return None
        found = TemplateSet.load(folder)
    except BadFile as error:
        faults.append(
            ConfigFault(folder / error.name, None, "", error.found, "mend it, or take it out of the folder")
        )
    except OSError as error:
        fault = unreadable_file(Path(error.filename or folder), error)
        faults.append(file.fault(key, f"{fault.path} {fault.found}", fault.expected, unreadable=True))
    else:
        findings = check.faults(found, languages)
        faults += [ConfigFault(folder / one.name, one.line, "", one.found, one.expected) for one in findings]
        if not found.theirs:
            warnings.append(f"{folder}: there is no file in it; all mails are made by our own templates")
        warnings += [f"{folder}: {warning}" for warning in check.warnings(found, languages)]
        return found
    return None


def _logo(file: TomlFile, path: str | None, faults: list[ConfigFault]) -> Logo | None:
    if path is None:
        return None
    key = ("brand", "logo_path")
    try:
        return Logo.read(Path(path))
    except BadLogo as error:
        faults.append(file.fault(key, f"{path} {error}", "expected a PNG, JPEG or GIF of at most 256 KiB"))
    except ValueError:  # a NUL in it
        faults.append(file.fault(key, "is no path", "expected an image"))
    except FileNotFoundError:
        faults.append(file.fault(key, f"{path}: no such file", "expected an image"))
    except OSError as error:
        fault = unreadable_file(Path(error.filename or path), error)
        faults.append(file.fault(key, f"{fault.path} {fault.found}", fault.expected, unreadable=True))
    return None


def _brand(sender: SenderFile, logo: Logo | None) -> Brand:
    table, plain = sender.brand, Brand()
    return Brand(
        name=table.name or "",
        color=table.color or plain.color,
        logo=logo,
        support=table.support or "",
        footer=table.footer or "",
    )


def _unspoken(file: TomlFile, templates: TemplateSet, languages: Languages) -> Iterator[ConfigFault]:
    for tag in languages.all:
        if not templates.speaks(tag):
            named = {languages.default: "default_language", languages.second: "second_language"}
            key = named.get(tag, "language_rules")
            known = ", ".join(sorted(templates.wordings))
            yield file.fault(
                ("templates", key), f"there are no sentences in {tag}", f"there are {known}; more go into wording/"
            )


def _unreviewed(templates: TemplateSet, languages: Languages) -> Iterator[str]:
    for tag in languages.all:
        if templates.speaks(tag) and not templates.wording(tag).reviewed:
            look_at = f"`mail-sender template preview --serve --language {tag}`"
            yield f"no native speaker has reviewed the sentences in {tag} yet: look at them with {look_at}"
