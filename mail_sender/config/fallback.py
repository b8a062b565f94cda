"""`[[relay.fallback]]`: the relays that stand in for the first one while it is down.

A fallback has the keys of the first relay, in one table. So it is checked and made as if it were the first one: its
keys are put where the first one's stand, and a fault names them as they are written.
"""

from collections.abc import Iterable, Iterator

from mail_sender.config import certificates, relay, security_warnings
from mail_sender.config.keys import EachRelayTable, FallbackTable, RelayTable, SenderFile
from mail_sender.config.toml_file import Key, TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.relay import relay_url
from mail_sender.relay.config import FallbackConfig, RelayConfig

_TABLES: Key = ("relay", "fallback")
_AT_TOP = tuple(name for name in FallbackTable.model_fields if name.startswith("mail_"))


def configs(sender: SenderFile) -> tuple[FallbackConfig, ...]:
    """Return the fallbacks in their order; a dry run has none."""
    if relay.is_dry(sender):
        return ()
    made = ((table, relay.relay_config(_as_first(sender, table))) for table in sender.relay.fallback)
    return tuple(
        FallbackConfig(one, float(table.after_seconds)) for table, one in made if isinstance(one, RelayConfig)
    )


def faults(file: TomlFile) -> Iterator[ConfigFault]:
    """Yield a fault for each pair of keys that do not fit together, each unusable file, each relay named twice."""
    known = {_place(file.value(("mail_relay",)))}
    for view in _views(file):
        yield from relay.faults(view)
        yield from certificates.of_relay(view)
        place = _place(view.value(("mail_relay",)))
        if place is not None and place in known:
            expected = "name another host or port: what may have arrived there waits for it, by this name"
            yield view.fault(("mail_relay",), f"{place} is named twice", expected)
        known.add(place)


def warnings(file: TomlFile, found: Iterable[FallbackConfig]) -> Iterator[str]:
    """Yield a sentence for each setting that weakens security, and for each oddity of a login."""
    for view, fallback in zip(_views(file), found, strict=False):
        found_here = (*security_warnings.of_relay(fallback.relay), *relay.warnings(view))
        yield from (f"{'.'.join(view.table)}: {warning}" for warning in found_here)


class _View(TomlFile):
    """A file in which the keys of one fallback stand in the first relay's places."""

    def __init__(self, file: TomlFile, number: int) -> None:
        self.__dict__.update(file.__dict__)
        self._file = file
        self.table: Key = (*_TABLES, str(number))
        keys = file.value(self.table)
        own = keys if isinstance(keys, dict) else {}
        self.unread = {(key[-1],) for key in file.unread if key[:-1] == self.table}
        at_top = {key: value for key, value in own.items() if key in _AT_TOP}
        self.values = {**at_top, "relay": {key: value for key, value in own.items() if key not in at_top}}

    def fault(self, key: Key, found: str, expected: str, *, unreadable: bool = False) -> ConfigFault:
        """Return a fault of a key as it is written."""
        return self._file.fault((*self.table, key[-1]), found, expected, unreadable=unreadable)


def _views(file: TomlFile) -> Iterator[_View]:
    tables = file.value(_TABLES)
    yield from (_View(file, number) for number in range(len(tables) if isinstance(tables, list) else 0))


def _as_first(sender: SenderFile, table: FallbackTable) -> SenderFile:
    """Return the file as it would be with this fallback as its first relay."""
    of_relay = RelayTable.model_construct(**{name: getattr(table, name) for name in EachRelayTable.model_fields})
    return sender.model_copy(update={**{name: getattr(table, name) for name in _AT_TOP}, "relay": of_relay})


def _place(text: object) -> str | None:
    try:
        return str(relay_url.parse(text)) if isinstance(text, str) else None
    except relay_url.BadRelay:
        return None
