"""A secret: a token, a password, a URL that nobody else may know. It cannot be printed, logged or pickled by mistake.

Whoever needs the text asks for it by name (`get_secret_value`), as late as possible, and does not keep it.
"""

import hmac
from typing import Any, NoReturn, Self

_STARS = "***"


class Secret:
    """A text that no output shows. Two are equal if their texts are; pydantic takes a text for it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        """Return the text."""
        return self._text

    def __repr__(self) -> str:
        """Return stars; so do `str`, `format`, and a log that shows any object."""
        return _STARS

    def __len__(self) -> int:
        """Return the number of characters."""
        return len(self._text)

    def __eq__(self, other: object) -> bool:
        """Say whether the other is the same secret, in a time that does not tell where they differ."""
        if not isinstance(other, Secret):
            return NotImplemented
        ours, theirs = (one.get_secret_value().encode("utf-8", "surrogatepass") for one in (self, other))
        return hmac.compare_digest(ours, theirs)

    def __hash__(self) -> int:
        """Return the hash of the text, which Python salts for each process."""
        return hash(self._text)

    def __copy__(self) -> Self:
        """Return the same: it never changes."""
        return self

    def __deepcopy__(self, _: object) -> Self:
        """Return the same: it never changes."""
        return self

    def __reduce_ex__(self, _: object) -> NoReturn:
        """Refuse: what is pickled ends up in files and pipes."""
        raise TypeError("a secret cannot be pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> Any:
        """Have pydantic take a text for it, and show stars where it writes one out."""
        from pydantic_core import core_schema  # noqa: PLC0415 - a health check imports this room, and needs no pydantic

        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(repr),
        )
