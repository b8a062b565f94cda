"""Languages: in which one, or two, a recipient's mail is written.

The identity server does not tell anybody's language, so rules by address do: the address itself goes before its
domain, a longer domain before a shorter one, and where no rule fits the default language counts. A second language,
where there is one, follows in the same mail, for readers of both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mail_sender import address


@dataclass(frozen=True)
class Languages:
    """The rules: languages as tags (RFC 5646), addresses and domains in lower case."""

    default: str = "en"
    second: str | None = None
    rules: Mapping[str, str] = field(default_factory=dict)

    @property
    def all(self) -> tuple[str, ...]:
        """Every language that a mail may be written in, each once."""
        named = (self.default, *self.rules.values(), *([self.second] if self.second else []))
        return tuple(dict.fromkeys(named))

    def of(self, recipient: str) -> tuple[str, ...]:
        """Return the languages of a recipient's mail: one, or two different ones."""
        first = next((self.rules[name] for name in _names(recipient.lower()) if name in self.rules), self.default)
        return (first,) if self.second in {None, first} else (first, str(self.second))


def _names(recipient: str) -> list[str]:
    """Return what rules may be about, the narrowest first: the address, its domain, the domains above it."""
    labels = address.domain(recipient).split(".")
    return [recipient, *(".".join(labels[start:]) for start in range(len(labels)))]
