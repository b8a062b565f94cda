"""Unknown keys, and that every fault is reported at once."""

import pytest

from mail_sender.errors import ConfigError, Exit
from tests.support.config_files import Files


def test_a_key_within_two_characters_of_a_known_one_is_a_fault(files: Files) -> None:
    """A misspelt key is an error that names the one that was meant."""
    for misspelt, meant in (("mail_relayy", "mail_relay"), ("tokne", "token"), ("schedul", "schedule")):
        faults = {fault.key: fault for fault in files.faults(**{meant: None, misspelt: '"x"'})}
        assert faults[misspelt].expected == f'did you mean "{meant}"?'
        assert faults[misspelt].line is not None


def test_any_other_unknown_key_is_only_warned_of(files: Files) -> None:
    """A key of some newer Kanidm does not keep the sender from running."""
    (warning,) = files.load(mail_queue_depth="5").warnings
    assert warning == f'{files.sender}:9: unknown key "mail_queue_depth" is ignored'


def test_all_faults_of_both_files_are_reported_at_once(files: Files) -> None:
    """Nine faults in two files make nine lines, under their count, and exit code 78."""
    with pytest.raises(ConfigError) as caught:
        files.load(
            "[relay]\nclient_cert_path = 'x'\nlocal_nam = 'x'\n[headers]\nFrom = 'x'\n",
            {"uri": '"x"', "verify_ca": "0"},
            token=None, instance_url='"x"', mail_from_address='"x"', mail_password=None,
        )  # fmt: skip
    keys = {fault.key for fault in caught.value.faults}
    assert keys == {
        "uri", "verify_ca", "token", "instance_url", "mail_from_address", "mail_username",
        "relay.client_cert_path", "relay.local_nam", "headers.From",
    }  # fmt: skip
    first, *rest = str(caught.value).splitlines()
    assert (first, len(rest)) == ("9 faults in the configuration", 9)
    assert caught.value.exit_code == Exit.BAD_CONFIG
