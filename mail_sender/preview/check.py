"""The full check of the operator's templates: `mail-sender template check`.

1. The folder was checked when the configuration was read (`config/appearance.py`): syntax, names, sentences.
2. One sample mail of each kind is made in each language that mails are written in: this finds what fails only when a
   template runs. Kinds with findings from step 1 are left out.
"""

from dataclasses import dataclass
from pathlib import Path

from mail_sender.config import sample_check
from mail_sender.errors import ConfigFault
from mail_sender.preview.lenient_config import LenientConfig
from mail_sender.templating import template_files


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, and how much was checked: the operator's files, and the sample mails that were made."""

    faults: tuple[ConfigFault, ...]
    files: int
    mails: int


def find(config: LenientConfig) -> Findings:
    """Return the findings."""
    if config.unusable:
        return Findings(config.faults, 0, 0)
    appearance = config.mail.appearance
    samples = [one for one in sample_check.samples_for(appearance) if not _is_faulty(config, one.kind)]
    failed = sample_check.faults(config.folder or template_files.shipped_folder(), config.mail, samples)
    return Findings((*config.faults, *failed), len(appearance.templates.theirs), len(samples))


def _is_faulty(config: LenientConfig, kind: str) -> bool:
    """Say whether a file that a kind's mails are made of has a finding already."""
    folder = config.folder or Path()
    return any(fault.path.parent in {folder, folder / kind, folder / "wording"} for fault in config.faults)
