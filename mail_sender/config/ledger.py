"""The ledger: `[ledger]`, its faults and warnings."""

from collections.abc import Iterator

from mail_sender.config import relay
from mail_sender.config.keys import SenderFile
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.ledger import database
from mail_sender.ledger.config import LedgerConfig
from mail_sender.names.secret import Secret

_OF_POSTGRESQL = ("url", "password", "ca_path")


def faults(file: TomlFile, sender: SenderFile) -> Iterator[ConfigFault]:
    """Yield a fault for keys that contradict each other, and for a url that cannot be read."""
    table, config = sender.ledger, ledger_config(sender)
    if table.url is not None and "kind" in table.model_fields_set and table.kind != "postgresql":
        yield file.fault(("ledger", "kind"), f"is {table.kind}, and url names a database", "remove one of them")
    elif config.kind != "postgresql":
        for name in _OF_POSTGRESQL:
            if getattr(table, name) is not None:
                yield file.fault(("ledger", name), "is set without a database", 'set url, or kind = "postgresql"')
    else:
        key = ("ledger", "url") if table.url else ("ledger", "kind")
        try:
            database.target_of(config)
        except database.NoDriver as error:
            yield file.fault(key, str(error), "install mail-sender[postgres]")
        except ValueError as error:
            yield file.fault(key, "cannot be read", str(error))


def ledger_config(sender: SenderFile) -> LedgerConfig:
    """Return the slice of the ledger."""
    table = sender.ledger
    if relay.is_dry(sender):
        return LedgerConfig(None, "memory")  # nothing is sent, so there is nothing to remember
    kind = "postgresql" if table.url else table.kind
    return LedgerConfig(table.path, kind, table.url, table.password, table.ca_path)


def secrets(config: LedgerConfig) -> frozenset[Secret]:
    """Return what no log may show: the password, wherever it stands, and the url that may hold it."""
    found = {config.url, config.password}
    if config.kind == "postgresql" and (password := database.target_of(config).password):
        found.add(Secret(password))
    return frozenset(secret for secret in found if secret is not None)


def warnings(config: LedgerConfig) -> Iterator[str]:
    """Yield a sentence for a database that is reached less safely than it could be."""
    if config.kind == "postgresql" and (warning := database.target_of(config).warning):
        yield f"[ledger] url: {warning}"
