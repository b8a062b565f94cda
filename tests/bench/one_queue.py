"""`python -m tests.bench drain`: one queue, by the bare loop and by the sender in turns, for who changes the sender.

With `--ledger postgresql`, senders on one PostgreSQL drain it, beside one sender with its ledger in a file.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench import drain, replicas
from tests.bench.campaign import FOLDER, Drain, fresh_doubles
from tests.bench.doubles import Behaviour
from tests.bench.drain import Load, Result
from tests.bench.sender import MAIL_SENDER, PROFILED


def add_to(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options."""
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--reply-ms", type=float, default=0.0, help="what each turn of the relay's replies waits")
    parser.add_argument("--mark-ms", type=float, default=0.0)
    parser.add_argument("--marks-per-second", type=float, default=0.0)
    parser.add_argument(
        "--queued", type=int, default=0, help="a queue that is longer than the mails that are sent of it"
    )
    parser.add_argument("--without", action="append", default=[], help="an extension that the relay does not offer")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--only", choices=["sender", "bare", "postgresql"], help="not beside the other one")
    parser.add_argument("--ledger", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--replicas", type=int, default=1, help="so many senders, on one ledger in PostgreSQL")
    parser.add_argument("--profile", action="store_true", help="where the sender's CPU time goes, room by room")


def run(given: argparse.Namespace) -> None:
    """Drain a queue as the options say, and print what it took."""
    behaviour = Behaviour(given.reply_ms, given.mark_ms, given.marks_per_second, tuple(given.without))
    load = Load(given.mails, given.connections, given.queued, behaviour)
    with ExitStack() as running:
        _run(given, load, _sides(given, running))


def _sides(given: argparse.Namespace, running: ExitStack) -> Mapping[str, Drain]:
    program = PROFILED if given.profile else MAIL_SENDER
    sides: dict[str, Drain] = {"sender": partial(drain.by_sender, program=program)}
    if given.ledger == "sqlite":
        sides = {"bare": drain.by_bare_loop, **sides}
    else:
        server = running.enter_context(replicas.server())
        sides["postgresql"] = partial(replicas.by_replicas, server=server, replicas=given.replicas, program=program)
    return {given.only: sides[given.only]} if given.only else sides


def _run(given: argparse.Namespace, load: Load, sides: Mapping[str, Drain]) -> None:
    report = _prepared_profile() if given.profile else None
    found: dict[str, list[Result]] = {name: [] for name in sides}
    for _ in range(given.turns):
        for name, side in sides.items():
            with fresh_doubles(load.behaviour) as doubles:
                found[name].append(side(doubles, load))
            _say(_line(name, found[name][-1]))
    if "bare" in found and "sender" in found:
        _say(_ratios(found["sender"], found["bare"]))
    elif "postgresql" in found and "sender" in found:
        _say(_ratio_to_file(found["postgresql"], found["sender"]))
    if report:
        _say(report.read_text())


def _prepared_profile() -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    report = (FOLDER / "profile").absolute()
    for path in (report, report.with_suffix(".begins")):
        path.unlink(missing_ok=True)
    os.environ["BENCH_PROFILE"] = str(report)
    return report


def _line(name: str, result: Result) -> str:
    return (
        f"{name:7} {result.rate:7.1f} mails/s {result.cpu_per_mail:6.2f} ms CPU per mail  peak {result.peak:.0f} MB, at the end "
        f"{result.at_end:.0f} MB; relay {result.relay_busy:.0%} and server {result.server_busy:.0%}"
        f"{f', database {result.database_busy:.0%}' if result.database_busy else ''} of a core"
    )


def _ratios(ours: list[Result], theirs: list[Result]) -> str:
    rate = median(one.rate for one in ours) / median(one.rate for one in theirs)
    cpu = median(one.cpu_per_mail for one in ours) / median(one.cpu_per_mail for one in theirs)
    return f"ratio: {rate:.2f} of its mails/s (at least 0.8), {cpu:.2f} times its CPU per mail (at most 1.6)"


def _ratio_to_file(ours: list[Result], theirs: list[Result]) -> str:
    rate = median(one.rate for one in ours) / median(one.rate for one in theirs)
    cpu = median(one.cpu_per_mail for one in ours) / median(one.cpu_per_mail for one in theirs)
    return f"ratio: {rate:.2f} of the mails/s with the ledger in a file, {cpu:.2f} times the CPU per mail"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
