"""Bad configuration gets sentences and an exit code: every fault at once, no secret.

The whole command line is run in this process; what needs a process of its own is shown by the installed program.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import configs
from tests.support.certificates import Authority
from tests.support.sender import MAIL_SENDER, run, run_here

SECRETS = ("signature-of-a-token", "a-password-that-no-log-may-show")


def faults(client: Path, sender: Path, code: int = 78) -> str:
    """Run the sender on two files, check what always holds, and return what it said."""
    done = run_here("-s", "-c", client, "-m", sender)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert not any(secret in done.stderr + done.stdout for secret in SECRETS)
    return done.stderr


@pytest.mark.parametrize(
    ("key", "value", "found", "expected"),
    [
        ("mail_from_address", "Name <a@example.com>", '"Name <a@example.com>"', "a bare address"),
        ("mail_reply_to_address", "nobody", '"nobody"', "a bare address"),
        ("instance_url", "idm.example.com", '"idm.example.com"', "a URL such as https://"),
        ("instance_display_name", "two\nlines", "line break", "one line of text"),
        ("schedule", "* * * * *", "5 fields", "cron with seconds first"),
        ("schedule", "0 0 0 30 2 *", "never fires", "that fires again"),
        ("schedule", "0 0 0 1 1 * 2020", "never fires", "that fires again"),
        ("mail_relay", "ftp://relay.example.com", "unknown scheme", "smtps://host"),
        ("mail_relay", "relay.example.com:99999", "port 99999", "smtps://host"),
        ("mail_connect_timeout_seconds", "15", '"15"', "a whole number without quotes"),
        ("mail_connect_timeout_seconds", 0, "0", "at least 1"),
        ("token", 'ab"c\nd', "line break", "api-token generate"),
        ("mail_password", 12345, "a number", "text in quotes"),
        ("mail_pasword", "x", "unknown key", "mail_password"),
        ("mail_relai", "x", "unknown key", "mail_relay"),
    ],
)
def test_a_bad_value_is_reported_with_file_line_key_and_what_was_expected(
    tmp_path: Path, key: str, value: object, found: str, expected: str
) -> None:
    """The line names the place, what stood there (never a secret), and what would be right."""
    missing = {"mail_pasword": "mail_password", "mail_relai": "mail_relay"}.get(key)
    without = {missing: None} if missing else {}
    sender = configs.sender(tmp_path, **{**without, key: value})
    line = next(
        number for number, text in enumerate(sender.read_text().splitlines(), 1) if text.startswith(f"{key} ")
    )
    said = faults(configs.client(tmp_path), sender)
    (fault,) = [text for text in said.splitlines() if f"mail-sender:{line}: {key}: " in text]
    assert found in fault
    assert expected in fault


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mail_password": None}, "mail_username: is set, but mail_password is not"),
        ({"mail_username": None}, "mail_password: is set, but mail_username is not"),
        ({"mail_username": None, "mail_password": None, "mail_relay": "smtps://me@relay"}, "has only a user"),
        ({"relay": {"client_cert_path": "/x"}}, "relay.client_cert_path: is set, but client_key_path is not"),
        ({"relay": {"ca_path": "/nowhere.pem"}}, "relay.ca_path: /nowhere.pem: no such file"),
        ({"relay": {"ca_paht": "/x"}}, 'relay.ca_paht: unknown key; did you mean "ca_path"?'),
        ({"relay": "smtps://relay"}, "relay: "),
        ({"headers": {"Subject": "mine"}}, "headers.Subject: is written by mail-sender itself"),
        ({"headers": {"X-A": "two\nlines"}}, "headers.X-A: "),
    ],
)
def test_keys_that_do_not_fit_together_are_reported(tmp_path: Path, values: dict[str, object], words: str) -> None:
    """Half a login, half a client certificate, our own tables: each by its key."""
    assert words in faults(configs.client(tmp_path), configs.sender(tmp_path, **values))


def test_every_fault_of_both_files_is_reported_at_once(tmp_path: Path) -> None:
    """One start tells all that must be mended."""
    client = configs.client(tmp_path, uri="not a url", verify_ca="yes")
    sender = configs.sender(tmp_path, token=None, schedule="daily", mail_from_address="x", headers={"To": "x"})
    said = faults(client, sender)
    assert run("-c", client, "-m", sender).stderr == said  # the installed program says the same
    assert said.startswith("mail-sender: 6 faults in the configuration\n")
    for key in ("uri", "verify_ca", "token", "schedule", "mail_from_address", "headers.To"):
        assert f" {key}: " in said


def test_missing_files_are_both_named(tmp_path: Path) -> None:
    """A start without any configuration says which two files it looked for."""
    said = faults(tmp_path / "nothing", tmp_path / "nowhere")
    for name, flag in (("nothing", "-c"), ("nowhere", "-m")):
        sentence = (
            f"{tmp_path}/{name}: no such file; create it (`mail-sender init` does), or name another with {flag}"
        )
        assert sentence in said


def test_a_file_that_is_not_toml_is_reported_with_its_line_and_none_of_its_text(tmp_path: Path) -> None:
    """A parser's complaint must not show the token above it, as Kanidm's sender does."""
    sender = configs.sender(tmp_path)
    sender.write_text(sender.read_text() + "mail_relay = = broken\n")
    line = len(sender.read_text().splitlines())
    assert f"mail-sender:{line}: not TOML" in faults(configs.client(tmp_path), sender)


def test_a_ca_that_is_no_pem_is_reported(tmp_path: Path) -> None:
    """A certificate file with something else in it is a fault of its key."""
    garbage = tmp_path / "ca.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    said = faults(configs.client(tmp_path, ca_path=garbage), configs.sender(tmp_path))
    assert "config:2: ca_path: holds a PEM certificate that cannot be read; expected a PEM file" in said


def test_a_client_certificate_with_another_key_is_reported(tmp_path: Path) -> None:
    """Certificate and key must belong together."""
    authority = Authority.make(tmp_path)
    certificate, key = authority.client(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = authority.client(tmp_path / "other")
    relay = {"client_cert_path": certificate, "client_key_path": other}
    assert "not the certificate's" in faults(configs.client(tmp_path), configs.sender(tmp_path, relay=relay))
    fits = {"client_cert_path": certificate, "client_key_path": key}
    assert faults(configs.client(tmp_path, uri="x"), configs.sender(tmp_path, relay=fits)).count("\n") == 2


def test_each_file_of_a_client_certificate_is_reported_under_its_own_key(tmp_path: Path) -> None:
    """Whichever is missing, the line names the key that holds its path; both, where both are."""
    certificate, key = Authority.make(tmp_path).client(tmp_path)
    for pair, wrong in (((certificate, "/no"), ["key"]), (("/no", key), ["cert"]), (("/no", "/no"), ["cert", "key"])):
        relay = dict(zip(("client_cert_path", "client_key_path"), pair, strict=True))
        said = faults(configs.client(tmp_path), configs.sender(tmp_path, relay=relay))
        assert [f"relay.client_{name}_path: /no: no such file" in said for name in ("cert", "key")] == [
            name in wrong for name in ("cert", "key")
        ]


def test_an_encrypted_client_key_is_reported_and_never_asked_for(tmp_path: Path) -> None:
    """Nobody is there to type a passphrase."""
    certificate, key = Authority.make(tmp_path).client(tmp_path)
    encrypted = tmp_path / "encrypted.key"
    subprocess.run(
        ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", encrypted], check=True, timeout=30
    )
    relay = {"client_cert_path": certificate, "client_key_path": encrypted}
    assert "encrypted" in faults(configs.client(tmp_path), configs.sender(tmp_path, relay=relay))


def test_an_unreadable_file_is_reported_with_its_owner_mode_and_our_uid_and_code_77(tmp_path: Path) -> None:
    """What may not be read is a matter of rights: whose it is, its mode, and who we are."""
    client, sender = configs.client(tmp_path), configs.sender(tmp_path)
    sender.chmod(0o000)
    token = tmp_path / "token"
    token.touch(mode=0o000)
    command = [str(MAIL_SENDER), "-s", "-c", str(client), "-m", str(sender)]
    if os.geteuid() == 0:
        # Root reads everything, unless it gives that right up.
        rights = "-dac_override,-dac_read_search"
        command = ["setpriv", "--bounding-set", rights, "--inh-caps", rights, "--", *command]
    env = {**os.environ, "MAIL_SENDER_TOKEN_FILE": str(token)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=env)
    assert done.returncode == 77, done.stderr
    closed = f"cannot be read (Permission denied): owner {os.geteuid()}:{os.getegid()}, mode 0000"
    assert f"{sender}: {closed}" in done.stderr
    assert f"environment: MAIL_SENDER_TOKEN_FILE: {token} {closed}" in done.stderr
    assert f"readable by uid {os.geteuid()}" in done.stderr


def test_an_unknown_key_far_from_any_other_is_only_a_warning(tmp_path: Path) -> None:
    """A newer Kanidm's config still runs: what it adds is named and ignored."""
    client = configs.client(tmp_path, uri="x")
    said = faults(client, configs.sender(tmp_path, some_new_feature_of_kanidm="on"))
    assert said.startswith("mail-sender: 1 fault in the configuration\n")
    assert 'unknown key "some_new_feature_of_kanidm" is ignored (a warning)' in said
