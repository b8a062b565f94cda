"""The mails that a relay has seen lately and may quote, prepared so that a reply is soon compared with them.

Nearly every reply quotes none of them, and has to cost next to nothing then. So there are marks: the first characters
of each text that is to be hidden, and the pieces of each secret. Text without the mark of a text does not hold that.
They are kept in two sets, of which the older one is dropped from time to time; so there may be marks of mails that
are forgotten by now. A mark that is found only says that the mails are to be looked at.
"""

import re
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from mail_sender.mail.mail import Mail
from mail_sender.names import address

MOST = 64
"""Mails that a relay may still quote."""

PIECE = 5
"""Letters and digits of a secret that are not shown together: Kanidm writes its intent ids in groups of five."""

_SHORTEST_NAME = _BEGINNING = 3
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

    def marks(self) -> list[str]:
        """Return the beginning of each text that is to be hidden, and the pieces of secrets; "" fits every reply.

        Stars may be there only once something else is hidden.
        """
        texts = [secret.casefold() for secret in self.secrets] + [folded for folded, _ in self.addresses + self.names]
        found = [text[:_BEGINNING] if len(text) >= _BEGINNING and "*" not in text else "" for text in texts]
        for secret in self.bare:
            found += pieces(secret)
        return found


class Seen:
    """The last mails that went to a relay, on whatever connection."""

    def __init__(self, mails: Iterable[Mail] = ()) -> None:
        self._quotable: deque[Quotable] = deque(maxlen=MOST)
        self._marks, self._older_marks = set[str](), set[str]()
        self._marked = 0
        for mail in mails:
            self.add(mail)

    def add(self, mail: Mail) -> None:
        """Take in a mail that goes to the relay now."""
        if self._marked == MOST:
            self._marks, self._older_marks, self._marked = set(), self._marks, 0
        found = Quotable.of(mail)
        self._quotable.append(found)
        self._marks.update(found.marks())
        self._marked += 1

    def quotable_in(self, text: str) -> Sequence[Quotable]:
        """Return the mails of which a text may repeat a secret, an address or a name; mostly none."""
        folded = text.casefold()
        found = ["", *[folded[start : start + _BEGINNING] for start in range(len(folded))]]
        return tuple(self._quotable) if self._has_any(found) else ()

    def has_piece(self, found: Collection[str]) -> bool:
        """Say whether one of these pieces is a secret's."""
        return self._has_any(found) and any(piece in self.bare for piece in found)

    def _has_any(self, marks: Collection[str]) -> bool:
        return not (self._marks.isdisjoint(marks) and self._older_marks.isdisjoint(marks))

    @property
    def bare(self) -> str:
        """All secrets of these mails, as `bare` returns them, one on a line."""
        return "\n".join(secret for one in self._quotable for secret in one.bare)


def pieces(reading: str) -> list[str]:
    """Return all pieces of letters and digits that stand together."""
    return [reading[start : start + PIECE] for start in range(len(reading) - PIECE + 1)]


def bare(text: str) -> str:
    """Return only the letters and digits, in one case, escapes left out."""
    if text.isalnum():
        return text.casefold()
    return _BETWEEN.sub("", _ESCAPE.sub("", text)).casefold()


@lru_cache(maxsize=8)
def bare_login(secrets: tuple[str, ...]) -> str:
    """Return the secrets of a login in the same form: an access token has thousands of characters."""
    return "\n".join(map(bare, secrets))
