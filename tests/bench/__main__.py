"""`make bench`: run the benchmarks, and print what came of them. `python -m tests.bench drain --help` runs one alone."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.bench import building, drain, startup
from tests.bench.doubles import Behaviour, Doubles, running
from tests.bench.drain import Load, Result

TURNS = 1_000
TARGET = 0.7
STARTS = 15
MEGABYTES = 50
FOLDER = Path(".cache/bench")


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    verbs = parser.add_subparsers(dest="verb")
    one = verbs.add_parser("drain", help="drain one queue, by the sender and by the bare loop")
    one.add_argument("--mails", type=int, default=1000)
    one.add_argument("--connections", type=int, default=4)
    one.add_argument("--reply-ms", type=float, default=0.0)
    one.add_argument("--mark-ms", type=float, default=0.0)
    one.add_argument("--marks-per-second", type=float, default=0.0)
    one.add_argument(
        "--queued", type=int, default=0, help="a queue that is longer than the mails that are sent of it"
    )
    one.add_argument("--without", action="append", default=[], help="an extension that the relay does not offer")
    one.add_argument("--turns", type=int, default=1)
    one.add_argument("--only", choices=["sender", "bare"], help="not beside the other one")
    one.add_argument("--profile", action="store_true", help="where the sender's CPU time goes, room by room")
    given = parser.parse_args()
    if given.verb == "drain":
        _drain(given)
    else:
        _all()


def _drain(given: argparse.Namespace) -> None:
    behaviour = Behaviour(given.reply_ms, given.mark_ms, given.marks_per_second, tuple(given.without))
    load = Load(given.mails, given.connections, given.queued, behaviour)
    sides: dict[str, Callable[[Doubles, Load], Result]] = {"bare": drain.by_bare_loop, "sender": drain.by_sender}
    if given.profile:
        report = (FOLDER / "profile").absolute()
        for path in (report, report.with_suffix(".begins")):
            path.unlink(missing_ok=True)
        os.environ["BENCH_PROFILE"] = str(report)
        sides["sender"] = lambda doubles, load: drain.by_sender(doubles, load, program=drain.PROFILED)
    if given.only:
        sides = {given.only: sides[given.only]}
    found: dict[str, list[Result]] = {name: [] for name in sides}
    for _ in range(given.turns):
        for name, side in sides.items():
            with _folder() as folder, running(Path(folder), behaviour) as doubles:
                found[name].append(result := side(doubles, load))
            sys.stdout.write(
                f"{name:7} {result.rate:7.1f} mails/s {result.cpu_per_mail:6.2f} ms CPU per mail  peak {result.peak:.0f} MB, at the "
                f"end {result.at_end:.0f} MB; relay {result.relay_busy:.0%} and server {result.server_busy:.0%} of a core\n"
            )
            sys.stdout.flush()
    if not given.only:
        rates, costs = (
            {name: median(getattr(one, figure) for one in results) for name, results in found.items()}
            for figure in ("rate", "cpu_per_mail")
        )
        sys.stdout.write(
            f"ratio: {rates['sender'] / rates['bare']:.2f} of its mails/s (at least 0.8), "
            f"{costs['sender'] / costs['bare']:.2f} times its CPU per mail (at most 1.6)\n"
        )
    if given.profile:
        sys.stdout.write(Path(os.environ["BENCH_PROFILE"]).read_text())


def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder on a disk: the system's own for temporary files may be in memory."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=FOLDER)


def _all() -> None:
    for language in ("en", "de"):
        building.measured(language, TURNS // 20)  # templates are compiled, modules loaded
        result = building.measured(language, TURNS)
        sys.stdout.write(
            f"building a mail ({language}): {result.ours * 1e6:.0f} µs, EmailMessage {result.theirs * 1e6:.0f} µs, "
            f"ratio {result.ratio:.2f} (at most {TARGET})\n"
        )
    startup.compile_bytecode()
    idle = startup.idle()
    sys.stdout.write(
        f"an idle sender: {idle.resident:.0f} MB resident (target {MEGABYTES}), of which {idle.proportional:.0f} MB are "
        f"its own or its share of what other processes use as well\n"
    )
    for name, ours, libraries in startup.measured(STARTS, idle.modules):
        sys.stdout.write(
            f"starting {name}: {ours.cpu:.3f} s of CPU and {ours.memory:.0f} MB; the libraries alone "
            f"{libraries.cpu:.3f} s and {libraries.memory:.0f} MB; ratio {ours.cpu / libraries.cpu:.2f}\n"
        )


main()
