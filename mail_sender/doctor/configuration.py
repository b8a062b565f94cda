"""The configuration: its faults and warnings, the templates, and as whom all of it is read."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path

from mail_sender.doctor.finding import Finding, Topic
from mail_sender.doctor.subject import Subject
from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.state_folder import StateFolder

_CONFIGURATION, _TEMPLATES = Topic.CONFIGURATION, Topic.TEMPLATES


async def configuration(subject: Subject) -> AsyncGenerator[Finding, None]:
    """Yield every fault and warning of the two files, and of the files that they name."""
    reading = subject.reading
    for fault in reading.faults:
        yield _CONFIGURATION.fault("configuration", fault.seen, fault.expected)
    if not reading.faults:
        yield _CONFIGURATION.ok("configuration", f"no faults in {' and '.join(map(str, reading.files))}")
    for warning in reading.warnings:
        seen, _, advice = warning.partition("; ")
        yield _CONFIGURATION.warning("configuration", seen, advice or None)


async def user(subject: Subject) -> AsyncGenerator[Finding, None]:
    """Say as whom the files are read; as root, whether the sender's user may read them: the state folder's owner."""
    uid = os.geteuid()
    if uid != 0:
        yield _CONFIGURATION.ok("user", f"this runs as uid {uid}, and reads the files as that user")
        return
    state = state_folder.place(subject.ledger or LedgerConfig())
    if state.user == 0:
        seen = "this runs as root: whether the sender's own user may read the files is not known; run it as that user"
        yield _CONFIGURATION.skipped("user", seen)
        return
    whose = f"uid {state.user}, which owns {state.path}"
    files = *subject.reading.files, *subject.reading.named
    closed = [path for path in files if path.exists() and not _may_read(state, path)]
    for path in closed:
        seen = f"this runs as root; but the sender's user ({whose}) may not read {path}"
        yield _CONFIGURATION.fault("user", seen, f"make it readable for uid {state.user} (chown, chmod)")
    if not closed:
        yield _CONFIGURATION.ok("user", f"this runs as root; the sender's user ({whose}) may read all files")


def _may_read(state: StateFolder, path: Path) -> bool:
    with state.as_owner():
        return os.access(path, os.R_OK, effective_ids=True)


async def templates(subject: Subject) -> AsyncGenerator[Finding, None]:
    """Yield every fault of the operator's templates, also those that show only when a sample mail is made."""
    for fault in subject.reading.template_faults:
        yield _TEMPLATES.fault("templates", fault.seen, fault.expected)
    if subject.reading.template_faults:
        return
    if subject.mail is None:
        yield _TEMPLATES.skipped("templates", "the configuration has faults that keep mails from being made")
    elif theirs := [*subject.mail.appearance.templates.sources()]:
        yield _of_theirs(len([one for one in theirs if one.serves is not None]), len(theirs))
    else:
        yield _TEMPLATES.ok("templates", "the built-in templates are used")


def _of_theirs(used: int, count: int) -> Finding:
    """Return how many of the operator's files are used; the warnings of the configuration name the others."""
    if used:
        seen = f"your files are used ({used} of {count}); a sample of each mail could be made"
        return _TEMPLATES.ok("templates", seen)
    seen = "your folder of templates is not used at all: no file in it has the name of a template or catalogue"
    return _TEMPLATES.warning("templates", seen, "`mail-sender template list` shows the names and your files")
