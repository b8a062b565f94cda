"""Compiles what the image's program loads, so that no start has to do it.

    python -X pycache_prefix=FOLDER bytecode.py

Beside its sources Python looks for bytecode that carries their date or hash, and checks it at each import. An image
has other dates than the build, and its root may be read-only: such bytecode would be made anew at every start. The
bytecode here lies in a folder of its own (PYTHONPYCACHEPREFIX), is never checked (PEP 552, unchecked hashes), and is
the same for the same sources. It is that of all installed packages and, of the standard library, of what the program
can load: not every base has bytecode of that.
"""

import importlib
import importlib.util
import pkgutil
import py_compile
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_LATE = ("_strptime", "encodings.idna", "encodings.ascii", "encodings.latin_1", "stringprep")
"""What the standard library itself imports inside functions, where the program comes by."""


def main() -> int:
    """Compile everything, and say how much it was."""
    if sys.pycache_prefix is None:
        sys.stderr.write("bytecode: start Python with -X pycache_prefix=FOLDER\n")
        return 2
    packages = Path(sysconfig.get_path("purelib"))
    sources = sorted({*_loaded(), *_installed(packages)})
    for source in sources:
        _compile(source)
    sys.stdout.write(f"bytecode: {len(sources)} files in {sys.pycache_prefix}\n")
    return 0


def _loaded() -> Iterator[Path]:
    """Yield the sources of all modules that are loaded when every module of mail_sender is."""
    package = importlib.import_module("mail_sender")
    for module in pkgutil.walk_packages(package.__path__, "mail_sender."):
        importlib.import_module(module.name)
    for name in _LATE:
        importlib.import_module(name)
    for loaded in list(sys.modules.values()):
        origin = getattr(getattr(loaded, "__spec__", None), "origin", None) or ""
        if origin.endswith(".py") and loaded.__name__ != "__main__":
            yield Path(origin)


def _installed(packages: Path) -> Iterator[Path]:
    yield from packages.rglob("*.py")


def _compile(source: Path) -> None:
    try:
        py_compile.compile(str(source), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except py_compile.PyCompileError:
        return  # a template of a package's own that only looks like Python; whoever imports it is told so by Python


if __name__ == "__main__":
    sys.exit(main())
