"""Languages: in which one, or two, a recipient's mail is written.

The identity server does not tell anybody's language, so rules by address do: the address itself goes before its
domain, a longer domain before a shorter one, and where no rule fits the default language counts. A second language,
where there is one, follows in the same mail, for readers of both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from mail_sender import address


@dataclass(frozen=True)
class Languages:
    """The rules: languages as tags (RFC 5646), addresses and domains in lower case, domains in ASCII (RFC 5890)."""

    default: str = "en"
    second: str | None = None
    rules: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def spoken(cls, languages: Sequence[str]) -> Self:
        """Return what writes every mail in one or two languages."""
        first, *others = languages
        return cls(first, others[0] if others else None)

    @property
    def all(self) -> tuple[str, ...]:
        """Every language that a mail may be written in, each once."""
        named = (self.default, *self.rules.values(), *([self.second] if self.second else []))
        return tuple(dict.fromkeys(named))

    @property
    def choices(self) -> tuple[tuple[str, ...], ...]:
        """Every choice of languages that a mail may be written in, each once: one language, or two."""
        firsts = dict.fromkeys((self.default, *self.rules.values()))
        return tuple(self._with_second(first) for first in firsts)

    def of(self, recipient: str) -> tuple[str, ...]:
        """Return the languages of a recipient's mail: one, or two different ones."""
        first = next((self.rules[name] for name in _names(recipient.lower()) if name in self.rules), self.default)
        return self._with_second(first)

    def _with_second(self, first: str) -> tuple[str, ...]:
        return (first,) if self.second in {None, first} else (first, str(self.second))


def _names(recipient: str) -> list[str]:
    """Return what rules may be about, the narrowest first: the address, its domain, the domains above it."""
    labels = address.domain(recipient).split(".")
    return [recipient, *(".".join(labels[start:]) for start in range(len(labels)))]
