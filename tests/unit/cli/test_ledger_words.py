"""Which ledger the words of `mail-sender ledger copy` name, and what it says to write into the configuration."""

from pathlib import Path

import pytest

from mail_sender.cli import ledger_words
from mail_sender.errors import UsageError
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.toml import loads

FILES = Path("/nowhere/config"), Path("/nowhere/mail-sender")
SECRET = "hunter2"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("postgresql://mail@db.example.com/mail", "postgresql://mail@db.example.com/mail"),
        (f"postgresql://mail:{SECRET}@db.example.com:5433/mail", "postgresql://mail@db.example.com:5433/mail"),
        (f"postgres://db/mail?user=m&password={SECRET}&sslmode=require", "postgres://db/mail?user=m&sslmode=require"),
        (f"postgresql://db/mail?password={SECRET}", "postgresql://db/mail"),
        (f"postgresql://db/mail?user=m&pass%77ord={SECRET}", "postgresql://..."),
    ],
)
def test_a_url_is_shown_without_its_password_which_goes_into_a_file(given: str, written: str) -> None:
    """Word for word what the new ledger needs; a url whose password cannot be cut out is not shown at all."""
    place = ledger_words.place(given, FILES)
    assert place.is_database
    assert place.toml is not None
    table = loads(place.toml)["ledger"]
    assert table.pop("url") == written
    assert table == ({"password_path": "/etc/kanidm/ledger_password"} if SECRET in given else {})
    assert place.toml in place.advice
    assert SECRET not in f"{place}"
    assert bool(place.warning) == ("sslmode=require" in given)


def test_a_folder_and_the_ledger_in_it_are_the_same(tmp_path: Path) -> None:
    """Whatever is easier to type; the configuration gets the whole path of the folder."""
    (tmp_path / "ledger.db").touch()
    for words in (tmp_path, tmp_path / "ledger.db"):
        place = ledger_words.place(str(words), FILES)
        assert place.ledger == StateFolder(tmp_path)
        assert place.toml is not None
        assert loads(place.toml) == {"ledger": {"path": str(tmp_path)}}
        assert "take `kind`, `url`, " in place.advice


def test_the_configuration_that_names_the_new_ledger_needs_no_change() -> None:
    """It says so, and what the folder is where none is named."""
    for config in (LedgerConfig(), LedgerConfig(Path("/srv/state"))):
        place = ledger_words._of_configuration(config)
        assert place.toml is None
        assert "names the new ledger already" in place.advice
    with pytest.raises(UsageError, match="keeps the ledger in memory"):
        ledger_words._of_configuration(LedgerConfig(None, "memory"))
