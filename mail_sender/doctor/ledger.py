"""The ledger and its disk: read as `mail-sender queue` reads it, beside a running sender and without its lock."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing

from mail_sender.doctor.finding import Finding, Topic
from mail_sender.doctor.shared_ledger import numbers, shared_ledger
from mail_sender.doctor.subject import Subject
from mail_sender.errors import LedgerFault, MailSenderError
from mail_sender.ledger import outlook, reserve, sqlite_faults, state_folder
from mail_sender.ledger.base import Query
from mail_sender.ledger.outlook import Space
from mail_sender.ledger.state_folder import BusyLedger, StateFolder
from mail_sender.ledger.states import State
from mail_sender.relay.config import FolderConfig

_LEDGER = Topic.LEDGER
NEARLY_FULL = 32 * 2**20
"""Octets below which a disk counts as nearly full."""


async def ledger(subject: Subject) -> AsyncGenerator[Finding, None]:
    """Say whether the ledger can be read and written, and what is in it; then whether its disk has space."""
    config = subject.ledger
    if config is None:
        yield _LEDGER.skipped("ledger", "the configuration has a fault that is about it: it was not opened")
        return
    if isinstance(subject.relay, FolderConfig):
        yield _LEDGER.skipped("ledger", "a dry run keeps it in memory")
        return
    if config.kind == "memory":
        seen = f"[ledger] kind is memory: {state_folder.NOT_PROMISED}"
        yield _LEDGER.warning("ledger", seen, 'set kind = "sqlite"')
        return
    if config.kind == "postgresql":
        async with aclosing(shared_ledger(config)) as findings:
            async for finding in findings:
                yield finding
        return
    state = state_folder.place(config)
    if (error := outlook.obstacle(state)) is not None:
        yield _unwritable(state, error)
        return
    found = await _read(state)
    yield found
    for finding in _disk(state):
        if finding.seen != found.seen:  # a full disk keeps the ledger from being read, too
            yield finding


def _unwritable(state: StateFolder, error: OSError) -> Finding:
    if state_folder.may_do_without(state, error):
        seen = f"{state.path} cannot be written, and no other folder is set: {state_folder.NOT_PROMISED}"
        return _LEDGER.warning("ledger", seen, "set [ledger] path to a writable folder")
    return _fault(state_folder.unusable(state, error))


def _fault(error: MailSenderError) -> Finding:
    return _LEDGER.fault("ledger", *_halves(str(error)))


async def _read(state: StateFolder) -> Finding:
    try:
        if not state.has_ledger():
            return _LEDGER.ok("ledger", f"none is in {state.path} yet: the sender makes it when it starts")
        counts = await _counted(state)
    except BusyLedger as error:
        return _LEDGER.warning("ledger", *_halves(str(error)))
    except MailSenderError as error:
        return _fault(error)
    except LedgerFault as fault:
        return _LEDGER.fault("ledger", fault.detail, fault.advice)
    except OSError as error:
        return _fault(state_folder.not_ours(state, error))
    return _LEDGER.ok("ledger", f"{state.ledger} can be read and written; deliveries: {numbers(counts)}")


def _halves(text: str) -> tuple[str, str]:
    seen, _, advice = text.partition("; ")
    return seen, advice


async def _counted(state: StateFolder) -> Mapping[State, int]:
    ledger = await state_folder.open_ledger(state, reads_only=True)
    try:
        return await ledger.count(Query())
    finally:
        await ledger.close()


def _disk(state: StateFolder) -> Iterator[Finding]:
    try:
        found = outlook.space(state)
    except OSError as error:
        yield _LEDGER.skipped("disk", f"what is free beside {state.path} cannot be known ({error.strerror})")
    else:
        yield disk(state, found)


def disk(state: StateFolder, found: Space) -> Finding:
    """Return what there is to say of so much space; without the reserve, the sender begins nothing new."""
    free = f"{found.free / 2**20:,.0f} MiB are free on the disk of {state.path}"
    full = sqlite_faults.full(state.ledger)
    if not found.has_inodes:
        return _LEDGER.fault("disk", f"the disk of {state.path} takes no more files (no inodes)", full.advice)
    if found.free < reserve.OCTETS:
        return _LEDGER.fault("disk", full.detail, full.advice)
    if found.free < NEARLY_FULL:
        return _LEDGER.warning("disk", free, "free some space, before the sender has to stop")
    return _LEDGER.ok("disk", free)
