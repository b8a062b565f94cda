"""Tries out the operator's templates on samples: finds what fails only when a template runs.

A sample is one message of a kind, rendered in one choice of languages by the code that makes real mail.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from mail_sender.errors import ConfigFault
from mail_sender.mail.config import MailConfig
from mail_sender.mail.render import BrokenTemplate, Unrenderable, render
from mail_sender.templating import samples
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.kinds import KINDS
from mail_sender.templating.languages import Languages

TIME_LIMIT = 5.0
"""Seconds after which no further sample is rendered; all of them usually take a few tenths."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is rendered: a kind, its languages, and whether its recipient has a name."""

    kind: str
    languages: tuple[str, ...]
    has_name: bool = True

    def __str__(self) -> str:
        """Name it."""
        nameless = "" if self.has_name else " to somebody without a name"
        return f"a sample of {self.kind} in {' and '.join(self.languages)}{nameless}"


def samples_for(appearance: Appearance) -> list[Sample]:
    """Return each known kind, in each choice of languages that mails are written in, with a name and without."""
    kinds = [kind for kind in appearance.templates.kinds if kind in KINDS]
    choices = appearance.languages.choices
    return [Sample(kind, choice, has_name) for kind in kinds for choice in choices for has_name in (True, False)]


def faults(folder: Path, mail: MailConfig, wanted: Iterable[Sample]) -> Iterator[ConfigFault]:
    """Render the samples; yield a fault for each template in the folder that fails, once.

    Ends after `TIME_LIMIT`: a template that takes so long is reported by then, and real mail is waiting.
    """
    ends = time.monotonic() + TIME_LIMIT
    now = datetime.now(UTC).replace(microsecond=0)
    reported = set()
    for sample in wanted:
        fault = _fault_of(sample, now, mail)
        if fault and fault not in reported:
            reported.add(fault)
            yield ConfigFault(folder, None, "", fault, f"seen in {sample}")
        if time.monotonic() > ends:
            return


def _fault_of(sample: Sample, now: datetime, mail: MailConfig) -> str | None:
    languages = Languages.spoken(sample.languages)
    data = {} if sample.has_name else {"display_name": ""}
    mail = replace(mail, appearance=replace(mail.appearance, languages=languages))
    try:
        return render(samples.message(sample.kind, now, data), samples.RECIPIENT, mail, now).fault
    except (BrokenTemplate, Unrenderable) as error:
        return str(error)
