"""Where the ledger is, also by a configuration that cannot be read any more."""

from pathlib import Path

import pytest

from mail_sender.cli import ledger_place

STATE = Path("/srv/state")
LEDGER = f'[ledger]\npath = "{STATE}"\n'


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (LEDGER, STATE),
        (f"token = 'no end\n{LEDGER}[relay]\nx = \n", STATE),
        (f'{LEDGER}path = "twice"\n', None),
        ("[ledger]\npath = \n", None),
        ("token = 'no end\n", None),
    ],
)
def test_the_table_counts_alone_where_the_file_is_no_toml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, place: Path | None
) -> None:
    """A health check that looked elsewhere would find no sender, and have one restarted that is well."""
    file = tmp_path / "mail-sender"
    file.write_text(text)
    assert ledger_place.read(file).path == place
    said = capsys.readouterr().err
    assert ("is used" in said) == (text != LEDGER)
    assert ("its [ledger] is used" in said) == (text != LEDGER and place is not None)


def test_the_environment_goes_over_the_file_and_may_stand_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A health check finds the sender where the sender found its folder."""
    file = tmp_path / "mail-sender"
    file.write_text('[ledger]\npath = "/elsewhere"\n')
    place = {"MAIL_SENDER_LEDGER_PATH": str(STATE)}
    assert ledger_place.read(file, place).path == STATE
    assert ledger_place.read(tmp_path / "nothing", place).path == STATE
    assert ledger_place.read(tmp_path / "nothing", {"MAIL_SENDER_MAIL_FROM_ADDRESS": "idm@example.com"}).path is None
    assert ledger_place.read(file, {"MAIL_SENDER_LEDGER_KIND": "memory"}).kind == "memory"
    assert capsys.readouterr().err == ""
    ledger_place.read(tmp_path / "nothing", {})
    assert (
        "no such file; create it, or name another file; the default state folder is used" in capsys.readouterr().err
    )
