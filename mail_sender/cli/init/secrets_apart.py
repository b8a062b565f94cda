"""Keeps the secrets out of the mail-sender config: each gets a file of its own beside it, which the config names."""

from collections.abc import Mapping

from mail_sender.cli.init.answers import AnswerBook
from mail_sender.cli.init.draft import Base, Draft
from mail_sender.cli.init.files import NewFile
from mail_sender.cli.init.owner import Owner

ENDS: Mapping[str, str] = {"token": ".token", "mail_password": ".password"}
"""What the name of each secret's file ends with; it begins as that of the config."""


def moved(base: Base, answers: AnswerBook, owner: Owner) -> tuple[Draft, list[NewFile]]:
    """Return the two files without their secrets, and the files of these."""
    changes: dict[str, str | None] = {}
    files = []
    for key, end in ENDS.items():
        if secret := answers.value(key):
            path = base.sender_path.absolute().with_name(base.sender_path.name + end)
            changes |= {f"{key}_path": str(path), key: None}  # so that it stands below the key's comment
            files.append(NewFile(path, secret.strip("\r\n"), owner.of_secrets))
    return answers.drafted(changes), files
