"""Which language a recipient's mail is written in, or which two.

The identity server does not say which language a person reads, so rules by address decide. A rule for the address
goes before one for its domain, one for a longer domain before one for a shorter domain; if no rule matches, the
default language is taken. A second language, if there is one, follows in the same mail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from mail_sender.names import address


@dataclass(frozen=True)
class Languages:
    """The rules: languages as tags (RFC 5646), addresses and domains in lower case, domains in ASCII (RFC 5890)."""

    default: str = "en"
    second: str | None = None
    rules: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def spoken(cls, languages: Sequence[str]) -> Self:
        """Return rules that write every mail in the same one or two languages."""
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
        if not self.rules:
            return self._with_second(self.default)
        first = next((self.rules[name] for name in _names(recipient.lower()) if name in self.rules), self.default)
        return self._with_second(first)

    def _with_second(self, first: str) -> tuple[str, ...]:
        return (first,) if self.second in {None, first} else (first, str(self.second))


def _names(recipient: str) -> list[str]:
    """Return the keys of rules that match, the narrowest first: the address, its domain, the domains above it."""
    labels = address.domain(recipient).split(".")
    return [recipient, *(".".join(labels[start:]) for start in range(len(labels)))]
