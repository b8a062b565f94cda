"""Settings that work, but weaken security, are warned of."""

import pytest

from mail_sender.config.load import load
from tests.support.config_files import Files

WARNINGS: list[tuple[dict[str, str | None], dict[str, str | None], str]] = [
    ({"verify_ca": "false"}, {}, "verify_ca = false"),
    ({"verify_hostnames": "false"}, {}, "verify_hostnames = false"),
    ({"uri": '"http://idm.example.com"'}, {}, "uri is http://"),
    ({}, {"instance_url": '"http://idm.example.com"'}, "instance_url is http://"),
]


@pytest.mark.parametrize(("client", "sender", "words"), WARNINGS)
def test_what_works_but_is_weak_is_warned_of(
    files: Files, client: dict[str, str | None], sender: dict[str, str | None], words: str
) -> None:
    """Checks that are switched off, and links or servers without TLS, are obeyed with one warning."""
    (warning,) = files.load("", client, **sender).warnings
    assert words in warning


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_file_open_to_everybody_is_warned_of(files: Files, mode: int, *, warned: bool) -> None:
    """The file with the secrets should be closed to others; its group may read it."""
    files.load()
    files.sender.chmod(mode)
    assert any("open to everybody" in text for text in load(files.client, files.sender).warnings) == warned
