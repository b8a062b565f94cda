"""The campaign: the cases of a family, run side by side in one process.

A case plays its fault on a rig. Then everything is mended, the sender drains what is left, it is watched for a
while, and the invariants are checked on what relay and API have seen. Whatever a case raises is a breach, too. Cases
with the same deadlines run together, as many at a time as their family says.
"""

import asyncio
import itertools
import os
import tempfile
import time
import traceback
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from tests.faults import rig_log, setting
from tests.faults.family import Case, Family
from tests.faults.oracle import INVARIANTS, Evidence
from tests.faults.rig import Rig, secrets_in
from tests.faults.rig_api import ApiServer
from tests.faults.rig_deadlines import deadlines
from tests.faults.rig_ledger import Homes, homes
from tests.faults.rig_record import Heard
from tests.faults.rig_tls import Certificates
from tests.faults.tally import Breach, Tally

_CASE_SECONDS = 120.0
_CACHE = Path(__file__).parents[2] / ".cache"


@dataclass
class Ground:
    """What all cases share: the API's server, the certificates, a folder."""

    server: ApiServer
    certificates: Certificates
    folder: Path
    pages: rig_log.Pages
    homes: Homes

    def rig(self, case: str, seed: int) -> Rig:
        """Return a fresh rig for the case of that name."""
        number = next(_numbers)
        dice = zlib.crc32(f"{seed} {case}".encode())
        folder = self.folder / f"case-{number}"
        return Rig(self.homes(folder), folder, self.server, self.certificates, dice)


_numbers = itertools.count(1)


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """Open the shared ground; nothing of it is left afterwards."""
    _CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="faults-", dir=_CACHE) as name, rig_log.recorded() as pages:
        folder = Path(name)
        certificates = Certificates(folder)
        # Loading the system's roots anew for each case would take most of the time.
        with patch.dict(os.environ, {"SSL_CERT_FILE": str(certificates.ca), "SSL_CERT_DIR": name}):
            async with ApiServer() as server, homes(setting.current().server) as found:
                yield Ground(server, certificates, folder, pages, found)


async def run(family: Family, cases: Sequence[Case], seed: int, report: Callable[[Breach], None]) -> Tally:
    """Run cases of a family, and report each breach as it is found."""
    began = time.monotonic()
    tally, of = Tally(family.key, seed), setting.current()

    def note(case: str, findings: Iterable[Finding], log: str) -> None:
        for invariant, facts in findings:
            tally.breaches.append(Breach(family.key, case, seed, invariant, facts, log, of.connections, of.ledger))
            report(tally.breaches[-1])

    async with ground() as shared:
        for seconds, group in _by_deadline(cases):
            with deadlines(seconds):
                await _run_together(shared, family.together, group, tally, note)
        stray = "".join(shared.pages.stray)
        note("(any)", [("I7", f"the log holds {secret!r}") for secret in secrets_in(stray)], stray)
    tally.seconds = time.monotonic() - began
    return tally


Finding = tuple[str, str]
"""The invariant that is broken, and the facts."""
Note = Callable[[str, Iterable[Finding], str], None]


def _by_deadline(cases: Iterable[Case]) -> Iterator[tuple[float, list[Case]]]:
    ordered = sorted(cases, key=lambda case: case.seconds)
    for seconds, group in itertools.groupby(ordered, key=lambda case: case.seconds):
        yield seconds, list(group)


async def _run_together(shared: Ground, breakers: int, cases: Sequence[Case], tally: Tally, note: Note) -> None:
    waiting = iter(cases)

    async def breaker() -> None:
        for case in waiting:
            async with shared.rig(case.name, tally.seed) as rig:
                # A task of its own, so that what it logs is written on a page of its own.
                found = await asyncio.create_task(_run_one(rig, case, tally))
                note(case.name, found, rig.log)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(breakers, len(cases))):
            group.create_task(breaker())


async def _run_one(rig: Rig, case: Case, tally: Tally) -> list[Finding]:
    """Play a case and what follows it; return what is broken afterwards."""
    found: list[Finding] = []
    tally.cases += 1
    try:
        async with asyncio.timeout(_CASE_SECONDS):
            await _play(rig, case)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this case's result
        found.append(("end", _in_words(error)))
    try:
        evidence = await rig.evidence(exactly_once=case.exactly_once)
    except Exception as error:  # noqa: BLE001 - as above
        return [*found, ("evidence", _in_words(error))]
    _count_copies(evidence, tally)
    for name, facts in _check(evidence):
        tally.checked += 1
        if facts is not None:
            found.append((name, facts))
    return found


async def _play(rig: Rig, case: Case) -> None:
    rig.open_page()
    await case.play(rig)
    rig.mend()
    await rig.start()
    await rig.drained()
    await rig.linger()


def _in_words(error: Exception) -> str:
    inner = error
    while isinstance(inner, ExceptionGroup):
        inner = inner.exceptions[0]
    place = traceback.extract_tb(inner.__traceback__)[-1]
    return f"{type(inner).__name__}: {inner} ({Path(place.filename).name}:{place.lineno})"


def _check(evidence: Evidence) -> Iterator[tuple[str, str | None]]:
    for name, invariant in INVARIANTS.items():
        for facts in invariant(evidence):
            yield name, facts


def _count_copies(evidence: Evidence, tally: Tally) -> None:
    for queued, recipient in evidence.deliveries():
        mails = evidence.accepted(queued.id, recipient)
        tally.copies += max(0, len(mails) - 1)
        tally.cuts += sum(mail.heard is not Heard.YES for mail in mails)
