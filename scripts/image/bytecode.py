"""Compiles what the image's program loads, so that no start has to do it.

    python -X pycache_prefix=FOLDER bytecode.py

Beside its sources Python looks for bytecode that carries their date or hash, and checks it at each import. An image
has other dates than the build, and its root may be read-only: such bytecode would be made anew at every start. The
bytecode here lies in a folder of its own (PYTHONPYCACHEPREFIX), is never checked (PEP 552, unchecked hashes), and is
the same for the same sources. It is that of all modules that the program can load, also of the standard library: not
every base has bytecode of that. What the packages hold besides would be as much again.
"""

import ast
import importlib
import importlib.util
import pkgutil
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

_LATE = (
    *("_strptime", "encodings.idna", "encodings.ascii", "encodings.latin_1", "stringprep"),
    *("anyio._backends._asyncio", "httpcore._async.connection_pool", "pydantic.deprecated.class_validators"),
)
"""What other packages import by name or inside functions, where the program comes by."""


def main() -> int:
    """Compile everything, and say how much it was."""
    if sys.pycache_prefix is None:
        sys.stderr.write("bytecode: start Python with -X pycache_prefix=FOLDER\n")
        return 2
    sources = sorted(set(_loaded()))
    for source in sources:
        py_compile.compile(str(source), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    sys.stdout.write(f"bytecode: {len(sources)} files in {sys.pycache_prefix}\n")
    return 0


def _loaded() -> Iterator[Path]:
    """Yield the sources of all that is loaded when everything is imported that mail_sender imports anywhere."""
    package = importlib.import_module("mail_sender")
    for module in pkgutil.walk_packages(package.__path__, "mail_sender."):
        found = _loaded_module(module.name)
        for name in _imported(Path(found.__file__ or "")) if found else ():
            _loaded_module(name)
    for name in _LATE:
        importlib.import_module(name)
    for loaded in list(sys.modules.values()):
        origin = getattr(getattr(loaded, "__spec__", None), "origin", None) or ""
        if origin.endswith(".py") and loaded.__name__ != "__main__":
            yield Path(origin)


def _loaded_module(name: str) -> ModuleType | None:
    """Import a module and return it; one of ours that needs an extra which is not installed is left out."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not name.startswith("mail_sender.") or (error.name or "mail_sender").startswith("mail_sender"):
            raise
        return None


def _imported(source: Path) -> Iterator[str]:
    """Yield the modules that a file imports, also inside functions; not those of an extra that is not installed."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from filter(_is_module, names)


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what it would be in is not there, or no package
        return False


if __name__ == "__main__":
    sys.exit(main())
