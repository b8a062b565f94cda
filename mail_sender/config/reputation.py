"""What protects the sender's reputation: the limits in `[relay]`, and the disposable domains of `[recipients]`."""

from collections.abc import Iterator
from pathlib import Path

from mail_sender.config import secrets
from mail_sender.config.keys import SenderFile
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.relay import relay_url
from mail_sender.sender import disposable
from mail_sender.sender.config import ReputationConfig
from mail_sender.sender.disposable import Disposable
from mail_sender.sender.limits import Limits
from mail_sender.sender.warm_up import WarmUp

_PATH = ("recipients", "disposable_domains_path")


def reputation(file: TomlFile, sender: SenderFile, faults: list[ConfigFault]) -> ReputationConfig:
    """Return the limits and the list; add the faults of its file. A dry run sends nothing, and has no limits."""
    table, recipients = sender.relay, sender.recipients
    domains = _domains(file, recipients.disposable_domains_path, faults)
    listed = Disposable(domains, refuses=recipients.disposable == "refuse")
    if table.kind == "folder" or sender.mail_relay is None:
        return ReputationConfig(disposable=listed)
    place = relay_url.parse(sender.mail_relay.get_secret_value())
    warm_up = WarmUp(**table.warm_up.model_dump()) if table.warm_up else None
    return ReputationConfig(Limits(table.per_minute, table.per_recipient_per_hour, warm_up, place.host), listed)


def warnings(sender: SenderFile, config: ReputationConfig) -> Iterator[str]:
    """Yield a sentence for each setting that does less than it seems to."""
    warm_up = config.limits.warm_up
    if warm_up and warm_up.first_day is None and sender.ledger.kind == "memory":
        yield "relay.warm_up: the ledger is kept in memory, so each restart begins it anew: set from in it"
    if sender.recipients.disposable_domains_path and not config.disposable.domains:
        yield f"{sender.recipients.disposable_domains_path}: it has no domains; no mail is refused or warned of"


def faults(file: TomlFile) -> Iterator[ConfigFault]:
    """Yield a fault where it is said what to do with disposable domains, and no list has them."""
    key = ("recipients", "disposable")
    if file.value(key) is not None and file.value(_PATH) is None:
        yield file.fault(key, f"is set, but {_PATH[-1]} is not", "name the file with the domains")


def _domains(file: TomlFile, path: Path | None, faults: list[ConfigFault]) -> frozenset[str]:
    if path is None:
        return frozenset()
    try:
        return disposable.read(path)
    except disposable.BadList as error:
        found, expected = f"{path}: {error}", "expected a UTF-8 text file with one domain on a line"
        faults.append(file.fault(_PATH, found, expected))
    except FileNotFoundError:
        found = f"{secrets.shown_path(path)}: no such file"
        faults.append(file.fault(_PATH, found, "expected a file with one domain on a line"))
    except OSError as error:
        faults.append(file.unreadable(_PATH, Path(error.filename or path), error))
    return frozenset()
