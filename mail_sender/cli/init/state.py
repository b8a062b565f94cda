"""The state folder: the usual one where it can be used, else one beside the mail-sender config."""

import os
from pathlib import Path

from mail_sender.cli.init.files import CannotWrite
from mail_sender.cli.init.owner import Owner
from mail_sender.ledger import outlook, state_folder
from mail_sender.ledger.config import LedgerConfig


def proposal(sender_path: Path, owner: Owner) -> str | None:
    """Return the folder to be named in the config, None if the usual one can be used."""
    if owner.uid != os.geteuid():  # root makes it
        return None
    usual = state_folder.place(LedgerConfig())
    return None if outlook.obstacle(usual) is None else str(sender_path.absolute().parent / "state")


def make(named: str | None, owner: Owner) -> Path | None:
    """Make the folder for another user, who may not be able to; return it if it was made. Raises `CannotWrite`."""
    if owner.uid == os.geteuid():
        return None
    folder = state_folder.place(LedgerConfig(Path(named) if named else None)).path
    try:
        folder.mkdir(mode=0o700)
        os.chown(folder, owner.uid, owner.gid)
    except FileExistsError:
        return None
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        raise CannotWrite(f"the state folder {folder} cannot be made ({why}); make it for {owner.name}") from None
    return folder
