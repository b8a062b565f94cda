"""Which ledger the words on the command line name, and what the configuration says of it in the end."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from mail_sender.config import load
from mail_sender.errors import MailSenderError, UsageError
from mail_sender.ledger import database, state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.copying.open import Where
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.names.secret import Secret

CONFIGURED = "configured"
"""What stands for the ledger of the configuration."""

_EXPECTED = f"expected a state folder, its ledger.db, a postgresql:// url, or `{CONFIGURED}`"
_OF_A_DATABASE = "`kind`, `url`, `url_path`, `password`, `password_path` and `ca_path`"
_IN_A_URL = re.compile(r"(?<=[?&])(password|sslpassword)=[^&]*&?")


@dataclass(frozen=True, slots=True)
class Place:
    """One of the two ledgers: where it is, and what is not as safe as it should be.

    `toml` is what stands in the configuration of a sender that uses it, None if it stands there already; `advice`
    says so to a person.
    """

    ledger: Where
    advice: str
    toml: str | None = None
    warning: str = ""

    @property
    def is_database(self) -> bool:
        """Whether it is in PostgreSQL."""
        return isinstance(self.ledger, LedgerConfig)


class NoDriver(MailSenderError):
    """psycopg is not installed."""


def place(words: str, files: tuple[Path, Path]) -> Place:
    """Return the ledger that words name. Raises `UsageError`, `ConfigError`."""
    if words == CONFIGURED:
        return _of_configuration(load.load(*files).ledger)
    if re.match(r"postgres(ql)?://", words):
        return _of_url(words)
    if not words or "://" in words:
        raise UsageError(f"this is no ledger: {_EXPECTED}")
    path = Path(words)
    if path.suffix == ".db" or path.is_file():
        if path.name != "ledger.db":
            raise UsageError(f"{words} is not a sender's ledger, which is called ledger.db: {_EXPECTED}")
        path = path.parent
    toml = f"[ledger]\npath = {json.dumps(str(path.resolve()), ensure_ascii=False)}\n"
    advice = f"Write this into the mail-sender config, and take {_OF_A_DATABASE} out of [ledger]:\n\n{toml}"
    return Place(StateFolder(path), advice, toml)


def _of_configuration(config: LedgerConfig) -> Place:
    advice = "The configuration names the new ledger already: start the sender.\n"
    if config.kind == "memory":
        raise UsageError(f"the configuration keeps the ledger in memory, where it cannot be copied: {_EXPECTED}")
    if config.kind == "sqlite":
        return Place(state_folder.place(config), advice)
    return Place(config, advice, warning=database.target_of(config).warning)


def _of_url(url: str) -> Place:
    config = LedgerConfig(None, "postgresql", Secret(url))
    try:
        target = database.target_of(config)
    except database.NoDriver as error:
        raise NoDriver(f"a ledger in PostgreSQL {error}; install mail-sender[postgres]") from None
    except ValueError as error:
        raise UsageError(f"the url cannot be read: {error}") from None
    shown = _without_password(url)
    if (password := target.password) and password in shown:
        shown = "postgresql://..."
    toml = f"[ledger]\nurl = {json.dumps(shown, ensure_ascii=False)}\n"
    if password:
        toml += 'password_path = "/etc/kanidm/ledger_password"\n'
    where = " (in that file: the role's password)" if password else ""
    advice = f"Write this into the mail-sender config of every sender, and leave `path` as it is{where}:\n\n{toml}"
    return Place(config, advice, toml, target.warning)


def _without_password(url: str) -> str:
    """Return a url without what is secret in it."""
    plain = re.sub(r"^(\w+://[^/@:?]*):[^/@]*@", r"\1@", url)
    return _IN_A_URL.sub("", plain).rstrip("?&")
