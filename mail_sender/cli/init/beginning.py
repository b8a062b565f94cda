"""What there is before the first question: the files in their places, and the configuration to begin with.

A client config that is there is kept: other tools of Kanidm's read it, too. A mail-sender config that is there is
replaced only where that is wanted, and with `--from` it is what the new one begins with.
"""

import os
from pathlib import Path

from mail_sender.cli.init.draft import Base, Draft
from mail_sender.cli.init.files import NewFile
from mail_sender.cli.init.owner import Owner
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigError, UsageError


def base(client_path: Path, sender_path: Path, source: Path | None) -> Base:
    """Return what the two files begin with; `source` is a mail-sender config, with a client config beside it.

    Raises `ConfigError`, `UsageError`.
    """
    client_text = _text(client_path)
    if source is None:
        return Base(client_path, sender_path, client_text)
    if source.suffix in {".yml", ".yaml"}:
        raise UsageError(
            f"--from {source} is YAML: it takes a mail-sender config; "
            "for a config of Ory Kratos, docs/moving-from-kratos.md says which key is which"
        )
    file = TomlFile(source)
    if file.faults:
        raise ConfigError(file.faults, [])
    beside = source.with_name("config")
    return Base(client_path, sender_path, _text(beside) if client_text is None else client_text, _text(source))


def new_files(draft: Draft, owner: Owner, *more: NewFile, replaces: bool) -> list[NewFile]:
    """Return the files that have to be written, and `more`: those that are not there as they should be.

    Raises `UsageError` if one of them is there, and must not be replaced.
    """
    paths = draft.base.client_path, draft.base.sender_path
    wanted = (
        NewFile(_place(paths[0]), draft.client_text, owner.of_others),
        NewFile(_place(paths[1]), draft.sender_text, owner.of_secrets),
        *more,
    )
    changed = [file for file in wanted if _text(file.path) != file.text]
    for file in changed:
        if not replaces and os.path.lexists(file.path):
            raise UsageError(
                f"{file.path} is there already, and was not changed; `mail-sender doctor` says whether it works. "
                "To replace it, use --force, which keeps a copy; to write other files, put -c and -m before init"
            )
    return changed


def _place(path: Path) -> Path:
    """Return where a file is that a link leads to: the link stays."""
    return path.resolve() if path.is_symlink() else path.absolute()


def _text(path: Path) -> str | None:
    """Return the text of a file, None if there is none. Raises `ConfigError` if it cannot be read."""
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(TomlFile(path).faults, []) from None
