"""Senders on one PostgreSQL drain a queue, beside one sender with its ledger in a file.

The server is Debian's, on a unix socket, with each commit flushed to the disk, as SQLite's commits are. Each sender has
configuration files and connections to the relay of its own. What a sender took is summed up over all of them; of the
server, the CPU time of its processes is counted, as a share of one core.

In turns: a turn takes every row once, so that whatever else the machine does meets all of them.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median

from tests.bench import drain, usage
from tests.bench.campaign import fresh_doubles
from tests.bench.doubles import Behaviour, Doubles
from tests.bench.drain import Busy, Load, Result
from tests.bench.sender import MAIL_SENDER, RunningSender
from tests.support import postgres
from tests.support.postgres import Postgres

_FLUSHED = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "128MB"}
_FAR = Behaviour(reply_ms=20)


@contextmanager
def server() -> Iterator[Postgres]:
    """Run a PostgreSQL that flushes its commits."""
    with postgres.running(**_FLUSHED) as running:
        yield running


class Database:
    """The server of a drain: what it has used, from its making on."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._before = self._cpu()

    def share(self, seconds: float) -> float:
        """Return its CPU, as a share of so many seconds."""
        return (self._cpu() - self._before) / seconds

    def _cpu(self) -> float:
        return usage.cpu_of_family(self._server.first_process)


def by_replicas(
    doubles: Doubles, load: Load, server: Postgres, replicas: int = 1, program: Sequence[str] = MAIL_SENDER
) -> Result:
    """Have so many senders drain a queue together; the ledger is a new one."""
    server.execute("DROP SCHEMA IF EXISTS mail_sender CASCADE")
    url = f"postgresql://mail@/mail?host={server.folder}&port={server.port}"
    with ExitStack() as running:
        senders = [
            running.enter_context(
                RunningSender(doubles, load.connections, program=program, number=number, ledger={"url": url})
            )
            for number in range(replicas)
        ]
        senders[0].begin_profile()
        lists, before = len(doubles.lists), sum(sender.cpu() for sender in senders)
        busy, database = Busy(doubles), Database(server)
        doubles.server.command(f"queue {load.mails}")
        doubles.wait_for(replicas * drain.WARM + load.mails)
        began = next(one.at for one in doubles.lists[lists:] if one.what != ["0"])
        seconds = max(doubles.accepted[-1].at, doubles.marked[-1].at) - began
        cpu = sum(sender.cpu() for sender in senders) - before
        of_doubles, of_database = busy.shares(seconds), database.share(seconds)
        peak, at_end = max(sender.peak() for sender in senders), max(sender.resident() for sender in senders)
    assert len(doubles.accepted) == replicas * drain.WARM + load.mails, "a mail went twice"
    return Result(load.mails, seconds, cpu, peak, at_end, *of_doubles, of_database)


@dataclass(frozen=True, slots=True)
class Row:
    """So many senders on a ledger (0: one, with a file), and the load."""

    name: str
    replicas: int
    load: Load


NEAR = tuple(
    Row(name, replicas, Load(1000, connections))
    for connections in (4, 16) for name, replicas in (("SQLite", 0), ("PostgreSQL", 1))
)  # fmt: skip
FAR = tuple(Row("PostgreSQL", replicas, Load(600, behaviour=_FAR)) for replicas in (1, 2, 4))


def measured(turns: int) -> dict[Row, list[Result]]:
    """Measure every row, so many times."""
    found: defaultdict[Row, list[Result]] = defaultdict(list)
    with server() as running:
        for _ in range(turns):
            for row in (*NEAR, *FAR):
                with fresh_doubles(row.load.behaviour) as doubles:
                    found[row].append(_drained(doubles, row, running))
                _say(row, found[row][-1])
    return found


def _drained(doubles: Doubles, row: Row, server: Postgres) -> Result:
    if not row.replicas:
        return drain.by_sender(doubles, row.load)
    return by_replicas(doubles, row.load, server, row.replicas)


def rate(results: Sequence[Result]) -> float:
    """Return the median of mails per second."""
    return median(one.rate for one in results)


def _say(row: Row, result: Result) -> None:
    sys.stderr.write(f"{row.name}, {max(1, row.replicas)}: {result.rate:.0f} mails/s\n")
