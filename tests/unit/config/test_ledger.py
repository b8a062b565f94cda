"""`[ledger]`: where it is kept, by which key, and that nothing of the database's password is ever shown."""

import sys
from pathlib import Path

import pytest

from mail_sender.ledger import database
from mail_sender.ledger.config import LedgerConfig
from tests.support.config_files import Files, fault

FAR = "postgresql://mail@db.example.com/mail"
PASSWORD = "pa55-w0rd-of-the-database"


def ledger(files: Files, table: str) -> LedgerConfig:
    """Return what such a table makes."""
    return files.load(f"[ledger]\n{table}").ledger


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ('path = "/state"', "sqlite"),
        ('kind = "memory"', "memory"),
        ('kind = "postgresql"', "postgresql"),
        (f'url = "{FAR}"', "postgresql"),
        (f'url = "{FAR}"\nkind = "postgresql"', "postgresql"),
    ],
)
def test_a_url_is_enough_for_a_database(files: Files, table: str, kind: str) -> None:
    """So is the kind alone, where libpq knows the rest."""
    assert ledger(files, table).kind == kind


@pytest.mark.parametrize(
    ("table", "key", "said"),
    [
        (f'url = "{FAR}"\nkind = "sqlite"', "ledger.kind", "remove one of them"),
        (f'url = "{FAR}"\nkind = "memory"', "ledger.kind", "remove one of them"),
        (f'password = "{PASSWORD}"', "ledger.password", 'set url, or kind = "postgresql"'),
        (
            'ca_path = "/etc/ssl/certs/ca-certificates.crt"\nkind = "sqlite"',
            "ledger.ca_path",
            "is set without a database",
        ),
        (f'url = "mysql://mail:{PASSWORD}@db/mail"', "ledger.url", "is not a URL of PostgreSQL"),
        (f'url = "postgresql://mail:x/{PASSWORD}@db/mail"', "ledger.url", "expected postgresql://ROLE"),
        ('url = "postgresql://mail:changeme@db/mail"', "ledger.url", "placeholder"),
    ],
)
def test_keys_that_contradict_each_other_are_a_fault(files: Files, table: str, key: str, said: str) -> None:
    """It names the key, and nothing of a password."""
    found = fault(files, f"[ledger]\n{table}")
    assert found.key == key
    assert said in str(found)
    assert PASSWORD not in str(found)


def test_a_password_is_found_in_its_own_file_and_shown_nowhere(files: Files, tmp_path: Path) -> None:
    """In whichever place it stands, it is one of the secrets that no log shows."""
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    for table in (f'url = "postgresql://mail:{PASSWORD}@db/mail"', f'url = "{FAR}"\npassword_path = "{file}"'):
        config = files.load(f"[ledger]\n{table}")
        assert PASSWORD in {secret.get_secret_value() for secret in config.secrets}
        assert database.target_of(config.ledger).password == PASSWORD
        assert PASSWORD not in repr(config)


def test_a_connection_that_anybody_can_read_is_warned_of(files: Files) -> None:
    """Whoever wants it so, gets it."""
    (warning,) = [one for one in files.load(f'[ledger]\nurl = "{FAR}?sslmode=disable"').warnings if "ledger" in one]
    assert "sslmode=disable" in warning
    assert not [one for one in files.load(f'[ledger]\nurl = "{FAR}"').warnings if "ledger" in one]


def test_without_psycopg_the_extra_is_named(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most senders keep a file, and have none."""
    monkeypatch.setitem(sys.modules, "mail_sender.ledger.postgres.target", None)
    monkeypatch.delattr("mail_sender.ledger.postgres.target")
    assert "install mail-sender[postgres]" in str(fault(files, f'[ledger]\nurl = "{FAR}"'))
