"""Everything that is to be said about the templates: what keeps mails from being made of them, and what is odd.

The folder has been looked at when the configuration was read (`config_look`). Besides, one mail of each kind is made
in each language that mails are written in, unless its templates have findings already: what only shows when they run
shows here.
"""

from dataclasses import dataclass
from pathlib import Path

from mail_sender.config import appearance
from mail_sender.errors import ConfigFault
from mail_sender.preview.config import Basis
from mail_sender.templating import template_files


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, and how much was looked at: files of the operator's, and mails that were made."""

    faults: tuple[ConfigFault, ...]
    files: int
    mails: int


def find(basis: Basis) -> Findings:
    """Return the findings."""
    if basis.unusable:
        return Findings(basis.faults, 0, 0)
    looks = basis.mail.appearance
    trials = [trial for trial in appearance.trials(looks) if not _is_faulty(basis, trial.kind)]
    found = appearance.tried(basis.folder or template_files.shipped_folder(), basis.mail, trials)
    return Findings((*basis.faults, *found), len(looks.templates.theirs), len(trials))


def _is_faulty(basis: Basis, kind: str) -> bool:
    """Say whether there is a finding already in what a kind's mails are made of."""
    folder = basis.folder or Path()
    return any(fault.path.parent in {folder, folder / kind, folder / "wording"} for fault in basis.faults)
