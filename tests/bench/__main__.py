"""`make bench`: run the benchmarks, and print what came of them."""

import sys

from tests.bench import building, startup

TURNS = 1_000
TARGET = 0.7
STARTS = 15
MEGABYTES = 50


def main() -> None:
    """Print one line for each benchmark."""
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
