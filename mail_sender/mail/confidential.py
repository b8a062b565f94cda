"""What a message holds that no log and no ledger may repeat: secrets, and names of people."""

from collections.abc import Iterator
from typing import assert_never

from mail_sender.mail import display_name
from mail_sender.message import Content, CredentialReset, TestMessage, UnknownContent

SHORTEST_SECRET = 4
"""Characters. Of an unknown kind, shorter values are not hidden: hiding "550" would leave nothing of a reply."""


def secrets(content: Content) -> tuple[str, ...]:
    """Return the values that give access; in an unknown kind, every text and number may be one."""
    match content:
        case CredentialReset(intent_id=intent_id):
            return (str(intent_id),)
        case TestMessage():
            return ()
        case UnknownContent(fields=fields):
            return tuple(_texts(fields))
        case _ as never:
            assert_never(never)


def names(content: Content) -> tuple[str, ...]:
    """Return the names of people, as the mail shows them."""
    return () if isinstance(content, UnknownContent) else (display_name.clean(content.display_name),)


def _texts(value: object) -> Iterator[str]:
    match value:
        case bool():
            return
        case str() | int() | float() if len(str(value)) >= SHORTEST_SECRET:
            yield str(value)
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
