"""What the two configuration files make, taken together."""

from datetime import timedelta
from pathlib import Path

import pytest

from mail_sender.config.load import load, load_anew
from mail_sender.doctor.config import DoctorConfig
from mail_sender.doctor.nameserver import Nameserver
from mail_sender.errors import ConfigError
from mail_sender.ledger.config import LedgerConfig
from mail_sender.relay.relay_url import Security
from mail_sender.sender.config import RetryConfig
from mail_sender.tls import contexts
from tests.support.config_files import Files
from tests.support.configs import relay_of


def test_kanidms_own_keys_load_with_its_defaults(files: Files) -> None:
    """A config with Kanidm's required keys alone gets Kanidm's schedule and time-outs, and our defaults."""
    config = files.load()
    assert str(config.sender.schedule) == "*/5 * * * * * *"
    assert config.sender.stop_grace_seconds == 8.0
    assert config.sender.retry == RetryConfig(message_retries=5, max_age=timedelta(days=1))
    assert config.ledger == LedgerConfig(path=None, kind="sqlite")
    assert (relay_of(config).connect_timeout, config.source.connect_timeout) == (15.0, 15.0)
    assert (config.source.verify_ca, config.source.verify_hostnames, config.source.ca_path) == (True, True, None)
    assert (config.log_format, config.warnings) == ("text", ())


def test_every_key_reaches_its_stage(files: Files) -> None:
    """Values that differ from the defaults arrive where they belong."""
    config = files.load(
        '[relay]\nlocal_name = "mx.example.org"\n[headers]\nX-Tag = "one"\nX-Other = "two"\n'
        '[worker]\nstop_grace_seconds = 2\n[observe]\nlog_format = "json"\nlisten = "[::1]:9310"\n'
        '[doctor]\ndkim_selectors = ["s1"]\nnameservers = ["127.0.0.1:5353"]\ntrusted_authserv_id = "mx.example.org"\n'
        '[retry]\nmessage_retries = 7\nmax_age_seconds = 3600\n[ledger]\npath = "/var/spool/idm"\nkind = "memory"\n',
        {"uri": '"https://idm.example.org:8443/some/path"', "verify_hostnames": "false", "connect_timeout": "3"},
        schedule='"@hourly"',
        mail_relay='"smtp://relay.example.org:2587"',
        mail_connect_timeout_seconds="4",
    )
    assert config.source.uri == "https://idm.example.org:8443"
    source = config.source
    assert (source.verify_ca, source.verify_hostnames, source.connect_timeout) == (True, False, 3)
    relay = relay_of(config)
    assert (relay.place, relay.security, relay.connect_timeout) == ("relay.example.org:2587", Security.STARTTLS, 4)
    assert (relay.local_name, relay.username) == ("mx.example.org", "idm")
    assert relay.password is not None
    assert relay.password.get_secret_value() == "correct horse"
    assert config.mail.headers == (("X-Tag", "one"), ("X-Other", "two"))
    assert (config.sender.stop_grace_seconds, config.log_format) == (2.0, "json")
    assert config.sender.retry == RetryConfig(message_retries=7, max_age=timedelta(hours=1))
    assert config.ledger == LedgerConfig(path=Path("/var/spool/idm"), kind="memory")
    assert config.doctor == DoctorConfig(("s1",), (Nameserver("127.0.0.1", 5353),), "mx.example.org")
    assert str(config.sender.schedule) == "@hourly"
    mail = config.mail
    assert (mail.from_address, mail.reply_to_address) == ("idm@example.com", "support@example.com")
    assert (mail.instance_display_name, mail.instance_url) == ("Example Identity", "https://idm.example.com")


def test_kanidms_client_config_may_hold_other_instances(files: Files) -> None:
    """Only the top level counts; an instance's table is nobody's fault, whatever it holds."""
    config = files.load("", {"verify_ca": "true", "connect_timeout": '5\n[other]\nuri = 1\nverify_ca = "x"'})
    assert config.source.connect_timeout == 5.0
    assert config.warnings == ()


def test_the_systems_roots_are_watched_where_they_are_one_file(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CA that is added to them counts at once; OpenSSL reads the file only when a context is made."""
    roots = tmp_path / "roots.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    assert roots not in files.load().files
    roots.touch()
    assert roots in files.load().files


def test_every_file_that_has_a_say_is_named(files: Files, pems: dict[str, Path]) -> None:
    """Both configs, and each PEM file that they name: a change of any of them is a change of the configuration."""
    assert files.load().files == (files.client, files.sender, *contexts.roots())
    named = {"ca_path": "ca", "client_cert_path": "cert", "client_key_path": "key"}
    relay = "".join(f"{key} = '{pems[name]}'\n" for key, name in named.items())
    config = files.load(f"[relay]\n{relay}", {"ca_path": f'"{pems["ca"]}"'})
    assert config.files == (
        files.client,
        files.sender,
        pems["ca"],
        pems["ca"],
        pems["cert"],
        pems["key"],
        *contexts.roots(),
    )


def test_the_relays_kind_does_not_change_under_a_running_sender(files: Files) -> None:
    """What was sent and what was only written down would share a ledger; any other change counts."""
    before = files.load()
    files.load('[relay]\nkind = "folder"\npath = "/var/tmp/mails"\n')
    with pytest.raises(ConfigError, match=r"relay\.kind"):
        load_anew(before, files.client, files.sender)
    files.load(mail_relay="'smtps://other.example.com'")
    assert relay_of(load_anew(before, files.client, files.sender)).host == "other.example.com"


def test_swapped_files_are_reported_in_one_line(files: Files) -> None:
    """Instead of every key of each as a fault of the other."""
    files.load()
    with pytest.raises(ConfigError) as caught:
        load(files.sender, files.client)
    assert str(caught.value).count("\n") == 1
    assert "swap -c and -m" in str(caught.value)
