"""`python -m tests.fuzz.guided TARGET [SECONDS] [SEED]`: the same cases, chosen by atheris, where that is installed.

It keeps what reaches code that nothing has reached before, and changes that. Hypothesis makes a case of the octets
that it gives. A finding ends the run, is printed, and is kept. It is no dependency, as there are wheels of it for few
Pythons: `scripts/uv.sh pip install atheris` puts it into .venv, and the next `make setup` takes it out again.
"""

import sys

try:
    import atheris
except ModuleNotFoundError:
    sys.exit("atheris is not installed: scripts/uv.sh pip install atheris")

with atheris.instrument_imports(include=["mail_sender"]):
    from tests.fuzz.plan import TARGETS

from tests.fuzz.report import show
from tests.fuzz.target import Finding, as_test, kind


def main(name: str, seconds: str = "60", seed: str = "1") -> None:
    """Look for cases of one target for so many seconds."""
    target = TARGETS[name]
    last: list[object] = []

    def remember(case: object, _: str) -> None:
        last[:] = [case]

    one = as_test(target, remember).hypothesis.fuzz_one_input  # type: ignore[attr-defined]  # what `given` adds

    def try_octets(octets: bytes) -> None:
        try:
            one(octets)
        except Exception as error:
            show(target, Finding.of(last[0], error), f"guided-{kind(error)}")
            raise

    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=8192"], try_octets)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
