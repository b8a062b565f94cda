"""The template commands need the mail-sender config alone, and only those of its keys that are right."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mail_sender.config import stand_ins
from mail_sender.config.keys import SenderFile
from mail_sender.errors import ConfigError
from mail_sender.preview import lenient_config
from mail_sender.preview.sample_mail import render_sample
from tests.support import configs

VALUES = st.sampled_from([0, -1, True, "", "x", "::", "a\nb", ["x"], {"x": 1}, {"default_language": "de", "html": 3}])


def test_without_a_file_everything_is_made_up(tmp_path: Path) -> None:
    """The templates are ours, and a mail can be made."""
    found = lenient_config.read(tmp_path / "none")
    assert (found.config, found.folder, found.faults, found.warnings) == (None, None, (), ())
    assert render_sample(found.mail, "test_message_v1", None).subject == "Example Identity: Test Message"


def test_a_file_makes_the_mail_as_the_sender_would(tmp_path: Path) -> None:
    """Names, addresses, headers, languages and brand are those of the configuration."""
    path = configs.sender(
        tmp_path,
        instance_display_name="My Identity",
        headers={"X-Tag": "one"},
        templates={"second_language": "de"},
        brand={"footer": "The end"},
    )
    made = render_sample(lenient_config.read(path).usable.mail, "test_message_v1", None)
    headers = dict(made.headers)
    assert headers["From"] == "My Identity <idm@example.com>"
    assert (headers["X-Tag"], headers["Content-Language"]) == ("one", "en, de")
    assert "The end" in made.text


def test_a_faulty_key_is_reported_and_the_others_count(tmp_path: Path) -> None:
    """One in our tables of templates is a fault, one elsewhere is listed apart."""
    path = configs.sender(
        tmp_path,
        mail_from_address="nobody",
        token=None,
        templates={"html": "no", "default_language": "de"},
        headers={"Subject": "x", "Bad Name": "x", "X-Good": "x"},
    )
    found = lenient_config.read(path)
    assert [fault.key for fault in found.faults] == ["templates.html"]
    elsewhere = ["headers.Bad Name", "headers.Subject", "mail_from_address", "token"]
    assert sorted(fault.key for fault in found.elsewhere) == elsewhere
    assert found.mail.headers == (("X-Good", "x"),)
    assert (found.mail.appearance.languages.default, found.mail.appearance.html) == ("de", True)
    assert found.mail.from_address == stand_ins.SENDER["mail_from_address"]


@given(changes=st.dictionaries(st.sampled_from([*SenderFile.model_fields]), VALUES, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_whatever_the_file_holds_a_mail_can_be_made(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A configuration with any faults leaves the commands something to work with, or says why not."""
    found = lenient_config.read(configs.sender(tmp_path, **changes))
    assert render_sample(found.mail, "credential_reset_v1", "en").text


@pytest.mark.parametrize(("content", "said"), [("[x", "not TOML"), ("\xff", "is not UTF-8")])
def test_a_file_that_cannot_be_read_ends_it(tmp_path: Path, content: str, said: str) -> None:
    """Nobody would know which folder was meant."""
    path = tmp_path / "mail-sender"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=said):
        lenient_config.read(path)


def test_a_folder_that_cannot_be_loaded_leaves_nothing_to_use(tmp_path: Path) -> None:
    """`check` reports the fault; commands that need templates report it as well."""
    found = lenient_config.read(configs.sender(tmp_path, templates={"override_path": tmp_path / "nowhere"}))
    assert [fault.key for fault in found.faults] == ["templates.override_path"]
    with pytest.raises(ConfigError, match="no such folder"):
        _ = found.usable


def test_a_variable_counts_for_a_sample_and_a_missing_file_is_still_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a preview would show another mail than the one that is sent."""
    monkeypatch.setenv("MAIL_SENDER_BRAND_NAME", "From The Environment")
    monkeypatch.setenv("MAIL_SENDER_SCHEDULE", "nonsense")
    found = lenient_config.read(configs.sender(tmp_path))
    assert found.mail.appearance.brand.name == "From The Environment"
    assert [fault.name for fault in found.elsewhere] == ["MAIL_SENDER_SCHEDULE"]
    assert lenient_config.read(tmp_path / "nothing").config is None
