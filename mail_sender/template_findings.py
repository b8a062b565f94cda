"""Everything that is to be said about the templates: what keeps mails from being made of them, and what is odd.

The folder has been looked at when the configuration was read (`config_look`). Besides, one mail of each kind is made
in each language that mails are written in, unless its templates have findings already: what only shows when they run
shows here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mail_sender import preview, template_set
from mail_sender.errors import Fault
from mail_sender.kinds import KINDS
from mail_sender.preview_basis import Basis
from mail_sender.render import BrokenTemplate, Unrenderable


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, and how much was looked at: files of the operator's, and mails that were made."""

    faults: tuple[Fault, ...]
    files: int
    mails: int


def find(basis: Basis) -> Findings:
    """Return the findings."""
    if basis.unusable:
        return Findings(basis.faults, 0, 0)
    look = basis.letter.look
    kinds = [kind for kind in look.templates.kinds if kind in KINDS and not _is_faulty(basis, kind)]
    tries = [(kind, language) for kind in kinds for language in look.languages.all]
    return Findings((*basis.faults, *_tried(basis, tries)), len(look.templates.theirs), len(tries))


def _is_faulty(basis: Basis, kind: str) -> bool:
    """Say whether there is a finding already in what a kind's mails are made of."""
    folder = basis.folder or Path()
    return any(fault.path.parent in {folder, folder / kind, folder / "wording"} for fault in basis.faults)


def _tried(basis: Basis, tries: list[tuple[str, str]]) -> Iterator[Fault]:
    for kind, language in tries:
        try:
            found = preview.made(basis.letter, kind, language).letter.fault
        except (BrokenTemplate, Unrenderable) as error:
            found = str(error)
        if found:
            expected = f"seen in a specimen of {kind} in {language}"
            yield Fault(basis.folder or template_set.shipped_folder(), None, "", found, expected)
