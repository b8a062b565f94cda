"""The mails that a relay has seen lately and may quote, prepared so that a reply is soon compared with them."""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from mail_sender.mail.mail import Mail
from mail_sender.names import address

MOST = 64
"""Mails that a relay may still quote."""

_SHORTEST_NAME = 3
_ESCAPE = re.compile(r"(?:%|=|&#x?)[0-9A-Fa-f]{2};?|=\r?\n")
_BETWEEN = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Quotable:
    """What a relay may quote of one mail.

    `bare` are its secrets as `bare` returns them. Before each address or name that is to be hidden stands its folded
    form; `masked` is what is shown in the address's place.
    """

    secrets: tuple[str, ...]
    bare: tuple[str, ...]
    addresses: tuple[tuple[str, str], ...]
    masked: str
    names: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, mail: Mail) -> Self:
        """Return what of a mail may be quoted."""
        return cls(
            secrets=mail.secrets,
            bare=tuple(map(bare, mail.secrets)),
            addresses=tuple((one.casefold(), one) for one in address.spellings(mail.recipient)),
            masked=address.mask(mail.recipient),
            names=tuple((name.casefold(), name) for name in mail.names if len(name) >= _SHORTEST_NAME),
        )


class Seen:
    """The last mails that went to a relay, on whatever connection."""

    def __init__(self, mails: Iterable[Mail] = ()) -> None:
        self._quotable = deque(map(Quotable.of, mails), maxlen=MOST)
        self._bare: str | None = None

    def add(self, mail: Mail) -> None:
        """Take in a mail that goes to the relay now."""
        self._quotable.append(Quotable.of(mail))
        self._bare = None

    def __iter__(self) -> Iterator[Quotable]:
        """Yield what may be quoted of each mail."""
        return iter(self._quotable)

    @property
    def bare(self) -> str:
        """All secrets of these mails, as `bare` returns them, one on a line."""
        if self._bare is None:
            self._bare = "\n".join(secret for one in self._quotable for secret in one.bare)
        return self._bare


def bare(text: str) -> str:
    """Return only the letters and digits, in one case, escapes left out."""
    if text.isalnum():
        return text.casefold()
    return _BETWEEN.sub("", _ESCAPE.sub("", text)).casefold()


@lru_cache(maxsize=8)
def bare_login(secrets: tuple[str, ...]) -> str:
    """Return the secrets of a login in the same form: an access token has thousands of characters."""
    return "\n".join(map(bare, secrets))
