"""The people to whom messages go: ellie, who has an address, and bob, who has none, or those of a TOML file.

[[person]]
name = "carol"
displayname = "Carol"           # may lack, to see what Kanidm answers then
mail = ["carol@example.com"]    # the first one is the primary; may lack
"""

from __future__ import annotations

import tomllib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from server_stub.errors import OperationError, StubError
from server_stub.identity.accounts import spn
from server_stub.identity.naming import usual


@dataclass(frozen=True)
class Person:
    """Somebody with an account; `mail` is in the account's order, primary first."""

    name: str
    displayname: str | None
    mail: tuple[str, ...] = ()

    @property
    def uuid(self) -> str:
        """The same for the same name at every start."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, spn(self.name)))

    def addressed(self) -> str:
        """Return the name to address the person by. Raises OperationError 500 where there is none."""
        if self.displayname is None:
            raise OperationError(500, {"missingattribute": "displayname"})
        return self.displayname

    def primary_address(self) -> str:
        """Return the address that test messages go to. Raises OperationError 500 where there is none."""
        if not self.mail:
            raise OperationError(500, {"missingattribute": "mail"})
        return self.mail[0]


DEFAULT = (Person("ellie", "Ellie", ("ellie@example.com",)), Person("bob", "Bob"))


@dataclass(frozen=True)
class People:
    """Everybody, found by name, spn or uuid."""

    everybody: tuple[Person, ...] = DEFAULT

    def find(self, name: str) -> Person | None:
        """Return the person whom a name, an SPN or a uuid names, in any spelling."""
        wanted = usual(name)
        return next((one for one in self.everybody if wanted in {one.name, spn(one.name), one.uuid}), None)


def load(path: Path | None) -> People:
    """Read a people file; None gives the default people. Raises StubError."""
    if path is None:
        return People()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StubError(f"Cannot read the people file {path} ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise StubError(f"The people file {path} is not TOML: {error}.") from error
    rows = content.get("person")
    if not isinstance(rows, list) or content.keys() != {"person"}:
        raise StubError(f"The people file {path} must hold [[person]] tables and nothing else.")
    return People(tuple(_person(path, number, row) for number, row in enumerate(rows, 1)))


def _person(path: Path, number: int, row: object) -> Person:
    match row:
        case {"name": str(name), **rest} if name and rest.keys() <= {"displayname", "mail"}:
            displayname, mail = rest.get("displayname"), rest.get("mail", [])
            if isinstance(displayname, str | None) and _is_list_of_text(mail):
                return Person(name.lower(), displayname, tuple(mail))
    raise StubError(
        f"Person {number} in {path} must have a name, and may have a displayname (text) and mail (a list of text)."
    )


def _is_list_of_text(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
