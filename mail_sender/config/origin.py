"""Where a value comes from: a line of a file, a variable of the environment, or a file that holds a secret alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ENVIRONMENT = Path("environment")
"""What a fault names as its place if it is in no file."""

Kind = Literal["file", "environment", "secret_file", "credential", "preset"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stands, for faults and for `config show`.

    `path` is the file, or `ENVIRONMENT`; `line` counts from 1. `name` is what the key is called there, if that is not
    its own name, or that it is a preset's. `via` is where a secret's file is named, which for a credential of
    systemd's is nowhere.
    """

    kind: Kind
    path: Path
    line: int | None = None
    name: str = ""
    via: "Origin | None" = None

    def __str__(self) -> str:
        """Return the place as one says it after "from"."""
        if self.kind == "environment":
            return self.name
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        if self.kind == "preset":
            return f"the preset in {place}"
        if self.kind == "credential":
            return f"{place} (a systemd credential)"
        if self.via is not None:
            return f"{place} ({self.via.name} in {self.via})" if self.via.kind == "file" else f"{place} ({self.via})"
        return place
