"""The appearance of mails: `[templates]` and `[brand]`, with the faults and warnings of the files that they name."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from mail_sender.config import secrets
from mail_sender.config.keys import SenderFile
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.mail.config import MailConfig
from mail_sender.templating import override_folder, template_set
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.brand import Brand
from mail_sender.templating.languages import Languages
from mail_sender.templating.logo import LARGEST_LOGO, BadLogo, Logo
from mail_sender.templating.template_files import BadFile
from mail_sender.templating.template_set import TemplateSet


def appearance(
    file: TomlFile, sender: SenderFile, faults: list[ConfigFault], warnings: list[str]
) -> Appearance | None:
    """Return the appearance, or None if no templates can be loaded; add faults and warnings to the two lists."""
    table = sender.templates
    languages = Languages(table.default_language, table.second_language, table.language_rules)
    templates = _templates(file, table.override_path, languages, faults, warnings)
    logo = _logo(file, sender.brand.logo_path, faults)
    if templates is None:
        return None
    faults += _unspoken(file, templates, languages)
    warnings += _unreviewed(templates, languages)
    brand = Brand(logo=logo, **sender.brand.model_dump(exclude={"logo_path"}, exclude_none=True))
    return Appearance(templates, table.html, languages, ZoneInfo(table.time_zone), brand)


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


def files(folder: object) -> list[Path]:
    """Return the files and folders in the operator's override folder, which is named as it stands in the file."""
    if isinstance(folder, str) and folder:
        with suppress(OSError, ValueError):  # `appearance` reports it
            return override_folder.entries(Path(folder))
    return []


def _templates(
    file: TomlFile, folder: Path | None, languages: Languages, faults: list[ConfigFault], warnings: list[str]
) -> TemplateSet | None:
    if folder is None:
        return template_set.built_in()
    key = ("templates", "override_path")
    try:
        if not folder.is_dir():
            missing = f"{secrets.shown_path(folder)}: no such folder"
            faults.append(file.fault(key, missing, "expected a folder of templates"))
            return None
        found = TemplateSet.load(folder)
    except override_folder.NotOfTemplates as error:
        faults.append(file.fault(key, f"{folder}: {error}", "expected a folder of templates"))
    except BadFile as error:
        expected = "correct it, or remove it from the folder"
        faults.append(ConfigFault(folder / error.name, None, "", error.found, expected))
    except OSError as error:
        faults.append(file.unreadable(key, Path(error.filename or folder), error))
    else:
        from mail_sender.templating import check  # noqa: PLC0415 - without a folder there is nothing to check

        findings = check.faults(found, languages)
        faults += [ConfigFault(folder / one.name, one.line, "", one.found, one.expected) for one in findings]
        if not found.theirs:
            warnings.append(f"{folder}: it has no files; all mails use the built-in templates")
        warnings += [f"{folder}: {warning}" for warning in check.warnings(found, languages)]
        return found
    return None


def _logo(file: TomlFile, path: Path | None, faults: list[ConfigFault]) -> Logo | None:
    if path is None:
        return None
    key = ("brand", "logo_path")
    try:
        return Logo.read(path)
    except BadLogo as error:
        expected = f"expected a PNG, JPEG or GIF of at most {LARGEST_LOGO // 1024} KiB"
        faults.append(file.fault(key, f"{path} {error}", expected))
    except FileNotFoundError:
        faults.append(file.fault(key, f"{secrets.shown_path(path)}: no such file", "expected an image"))
    except OSError as error:
        faults.append(file.unreadable(key, Path(error.filename or path), error))
    return None


def _unspoken(file: TomlFile, templates: TemplateSet, languages: Languages) -> Iterator[ConfigFault]:
    for tag in languages.all:
        if not templates.speaks(tag):
            named = {languages.default: "default_language", languages.second: "second_language"}
            key = named.get(tag, "language_rules")
            known = ", ".join(sorted(templates.wordings))
            found = f"there are no sentences in {tag}"
            yield file.fault(("templates", key), found, f"use one of {known}, or add it to wording/")


def _unreviewed(templates: TemplateSet, languages: Languages) -> Iterator[str]:
    for tag in languages.all:
        if templates.speaks(tag) and not templates.wording(tag).reviewed:
            command = f"`mail-sender template preview --serve --language {tag}`"
            yield f"no native speaker has reviewed the sentences in {tag} yet: read them with {command}"
