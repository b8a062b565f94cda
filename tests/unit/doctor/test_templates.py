"""What `doctor` says of a folder of templates."""

from dataclasses import replace

import pytest

from mail_sender.doctor import configuration
from mail_sender.doctor.finding import Level
from mail_sender.doctor.subject import Subject
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.template_set import built_in
from tests.support.samples import MAIL


@pytest.mark.parametrize(
    ("names", "level", "seen"),
    [
        (["credential_reset_v1.txt"], Level.WARNING, "is not used at all"),
        (["credential_reset_v1/subject.txt.j2"], Level.OK, "your files are used (1 of 1)"),
        (["credential_reset_v1/subject.txt.j2", "README"], Level.OK, "your files are used (1 of 2)"),
    ],
)
async def test_a_file_that_nothing_uses_does_not_count(names: list[str], level: Level, seen: str) -> None:
    """A file with a wrong name changes no mail: to hear that it is used would end the search too early."""
    appearance = Appearance(templates=replace(built_in(), theirs=dict.fromkeys(names, "")))
    subject = Subject(mail=replace(MAIL, appearance=appearance))
    found = [finding async for finding in configuration.templates(subject)]
    assert [finding.level for finding in found] == [level]
    assert seen in found[0].seen
