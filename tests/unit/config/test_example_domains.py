"""What was left from the examples beside real values is a fault; examples among themselves are somebody's first try."""

from tests.support.config_files import Files

REAL = {
    "instance_url": '"https://idm.acme-corp.io"',
    "mail_from_address": '"idm@acme-corp.io"',
    "mail_reply_to_address": '"help@acme-corp.io"',
    "mail_relay": '"smtps://smtp.provider.io"',
}


def left(files: Files, **changes: str) -> set[str]:
    """Return the keys that are at fault."""
    return {fault.key for fault in files.faults("", {"uri": '"https://idm.acme-corp.io"'}, **{**REAL, **changes})}


def test_an_example_beside_real_names_is_a_fault(files: Files) -> None:
    """Mail cannot go through it, and nobody reads what is sent there."""
    assert left(files, mail_reply_to_address='"support@example.com"') == {"mail_reply_to_address"}
    assert left(files, mail_relay='"smtp.example.com"') == {"mail_relay"}
    both = {"instance_url": '"https://idm.example.com"', "mail_from_address": '"idm@example.org"'}
    assert left(files, **both) == set(both)
    assert [fault.key for fault in files.faults("", **REAL)] == ["uri"]


def test_examples_among_themselves_and_in_a_dry_run_are_fine(files: Files) -> None:
    """With a relay on this machine, in a company's own network, or one real name to try something out."""
    for relay in ("localhost:2525", "192.0.2.1", "relay.corp.local", "mailpit", "smtps://smtp.provider.io"):
        files.load(mail_relay=f'"{relay}"')
    files.load(
        '[relay]\nkind = "folder"\npath = "/var/tmp/x"\n', **{**REAL, "mail_from_address": '"idm@example.com"'}
    )
    files.load("", {"uri": '"https://localhost:8443"'}, **REAL)
