"""The environment's values: which variable sets which key, what it may hold, and who is told of one that is none."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail_sender.config import environment, fields
from mail_sender.config.config import Config
from mail_sender.config.load import load
from mail_sender.errors import ConfigError
from mail_sender.observe.alerts import alert
from tests.support.config_files import CLIENT, SENDER, Files, lines
from tests.support.configs import relay_of

REQUIRED = {
    "MAIL_SENDER_CLIENT_URI": "https://idm.example.com",
    "MAIL_SENDER_TOKEN": "eyJhbGciOi.eyJpc3Mi.c2lnbmF0dXJl",
    "MAIL_SENDER_INSTANCE_DISPLAY_NAME": "Example Identity",
    "MAIL_SENDER_INSTANCE_URL": "https://idm.example.com",
    "MAIL_SENDER_MAIL_FROM_ADDRESS": "idm@example.com",
    "MAIL_SENDER_MAIL_REPLY_TO_ADDRESS": "support@example.com",
    "MAIL_SENDER_MAIL_RELAY": "smtps://relay.example.com",
}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Give a folder for the many files of a property."""
    return Files(tmp_path_factory.mktemp("many"))


def loaded(files: Files, variables: Mapping[str, str], tables: str = "", **changes: str | None) -> Config:
    """Load good files, changed, under an environment."""
    files.write(lines({**SENDER, **changes}) + tables, lines(CLIENT))
    return load(files.client, files.sender, environment=variables)


def faults(files: Files, variables: Mapping[str, str], tables: str = "", **changes: str | None) -> list[str]:
    """Return the faults of files under an environment, as they are printed."""
    with pytest.raises(ConfigError) as caught:
        loaded(files, variables, tables, **changes)
    return [str(fault) for fault in caught.value.faults]


def test_each_key_has_a_variable_of_its_own() -> None:
    """No two keys share one, and none is one of the program's own."""
    every = [*fields.of_client(), *fields.of_sender()]
    names = [name for field in every for name in environment.variables(field)]
    assert len(set(names)) == len(names)
    assert environment.OWN.isdisjoint(names)
    assert {"MAIL_SENDER_RELAY_CA_PATH", "MAIL_SENDER_CLIENT_CA_PATH", "MAIL_SENDER_RELAY_WARM_UP_FROM"} <= {*names}


def test_a_variable_goes_over_the_file(files: Files) -> None:
    """Each kind of value, where the file has one and where it has none."""
    variables = {
        "MAIL_SENDER_INSTANCE_DISPLAY_NAME": "From The Environment",
        "MAIL_SENDER_MAIL_CONNECT_TIMEOUT_SECONDS": "7",
        "MAIL_SENDER_WORKER_STOP_GRACE_SECONDS": "2.5",
        "MAIL_SENDER_TEMPLATES_HTML": "False",
        "MAIL_SENDER_DOCTOR_DKIM_SELECTORS": '["s1", "s2"]',
        "MAIL_SENDER_HEADERS": '{"X-Environment": "as JSON"}',
        "MAIL_SENDER_TEMPLATES_LANGUAGE_RULES": '{ "example.de" = "de" }',
        "MAIL_SENDER_RELAY_WARM_UP_START": "5",
        "MAIL_SENDER_RELAY_WARM_UP_FACTOR": "2",
        "MAIL_SENDER_RELAY_WARM_UP_DAYS": "3",
        "MAIL_SENDER_RELAY_WARM_UP_FROM": "2026-12-01",
        "MAIL_SENDER_RELAY_LOCAL_NAME": "mx.example.com",
        "MAIL_SENDER_CLIENT_CONNECT_TIMEOUT": "4",
    }
    found = loaded(files, variables, '[relay]\nlocal_name = "file.example.com"\n[headers]\nX-File = "gone"\n')
    assert found.mail.instance_display_name == "From The Environment"
    assert (relay_of(found).connect_timeout, found.sender.stop_grace_seconds) == (7.0, 2.5)
    assert found.mail.appearance.html is False
    assert found.doctor.dkim_selectors == ("s1", "s2")
    assert found.mail.headers == (("X-Environment", "as JSON"),)
    assert found.mail.appearance.languages.rules == {"example.de": "de"}
    warm_up = found.sender.reputation.limits.warm_up
    assert warm_up is not None
    assert (warm_up.start, warm_up.factor, str(warm_up.first_day)) == (5, 2.0, "2026-12-01")
    assert (relay_of(found).local_name, found.source.connect_timeout) == ("mx.example.com", 4.0)
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("RETRY_MESSAGE_RETRIES", "five", '"five"; expected a whole number'),
        ("RETRY_MESSAGE_RETRIES", "[1", '"[1"; expected a whole number'),
        ("RETRY_MESSAGE_RETRIES", "-1", "-1; expected a number of at least 0"),
        ("TEMPLATES_HTML", "maybe", '"maybe"; expected true or false'),
        ("HEADERS", "X: y", "a text; expected a table"),
        ("RELAY_CA_PATH", "/no/such/ca.pem", "/no/such/ca.pem: no such file; expected a PEM file"),
        ("CLIENT_CA_PATH", "/no/such/ca.pem", "/no/such/ca.pem: no such file; expected a PEM file"),
        ("CLIENT_URI", "nonsense", '"nonsense"; expected a URL'),
        ("SCHEDULE", "daily", '"daily" ('),
        ("TEMPLATES_OVERRIDE_PATH", "/no/such/folder", "/no/such/folder: no such folder"),
        ("ALERT_URL", "s3cr3t-w3bh00k", "is not a URL; expected"),
        ("ALERT_COMMAND", '["/bin/true", "a\\u0000b"]', "has no program at its front, or a NUL in it"),
    ],
)
def test_a_fault_names_the_variable_and_no_line_of_the_file(files: Files, name: str, text: str, words: str) -> None:
    """Whoever set it there looks for it there."""
    (fault,) = faults(files, {f"MAIL_SENDER_{name}": text}, '[brand]\nname = "x"\n')
    assert fault.startswith(f"environment: MAIL_SENDER_{name}: {words}")


def test_the_files_are_not_needed_where_the_environment_has_all_that_is(tmp_path: Path) -> None:
    """With one variable less, the missing file is the fault."""
    paths = tmp_path / "config", tmp_path / "mail-sender"
    found = load(*paths, environment=REQUIRED)
    assert found.source.uri == REQUIRED["MAIL_SENDER_CLIENT_URI"]
    assert set(paths) <= set(found.files)
    for left_out in REQUIRED:
        with pytest.raises(ConfigError) as caught:
            load(*paths, environment={name: text for name, text in REQUIRED.items() if name != left_out})
        path = paths[0] if "CLIENT" in left_out else paths[1]
        words = "mail_relay: is missing" if "RELAY" in left_out else "no such file"
        assert f"{path}: {words}" in str(caught.value)


def test_the_variables_of_an_alert_are_those_that_its_command_gets() -> None:
    """A command that starts this program has it complain of none."""
    now = datetime(2026, 12, 1, tzinfo=UTC)
    named = alert.fields(alert.Alert("x", "firing", alert.Severity.INFO, now, now, "", ""), alert.Origin("", ""))
    assert {f"MAIL_SENDER_ALERT_{name.upper()}" for name in named} == environment.OF_ALERTS


def test_a_variable_that_is_no_text_is_a_fault(files: Files) -> None:
    """A password with octets that are not UTF-8 would fail only at the login. What is not ours may hold anything."""
    bad = os.fsdecode(b"caf\xe9")
    assert faults(files, {"MAIL_SENDER_MAIL_PASSWORD": bad, "OTHER": bad, f"MAIL_SENDER_{bad}": "x"}) == [
        "environment: MAIL_SENDER_MAIL_PASSWORD: holds octets that are not UTF-8; expected text in UTF-8"
    ]


VARIABLES = sorted(
    name for field in (*fields.of_client(), *fields.of_sender()) for name in environment.variables(field)
)
TEXTS = st.one_of(
    st.text(max_size=40),
    st.recursive(
        st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    ).map(json.dumps),
    st.sampled_from(
        ["[" * 5000, "9" * 5000, "{", "1e999", "nan", "2026-12-01", "a = 1\nb = 2", "/dev/null", "/", "\x1b[2J"]
    ),
)


@settings(max_examples=40)  # each loads two files
@given(st.dictionaries(st.sampled_from(VARIABLES), TEXTS, min_size=1, max_size=4))
def test_whatever_a_variable_holds_ends_in_a_configuration_or_in_faults(
    many: Files, variables: dict[str, str]
) -> None:
    """Never in a traceback."""
    many.write(lines(SENDER), lines(CLIENT))
    with suppress(ConfigError):
        assert load(many.client, many.sender, environment=variables).files


def test_an_empty_variable_counts_as_not_set_and_is_named(files: Files) -> None:
    """A compose file sets `X: ${X}` to nothing where X was forgotten."""
    variables = {
        "MAIL_SENDER_INSTANCE_DISPLAY_NAME": "",
        "MAIL_SENDER_TOKEN_FILE": "",
        "MAIL_SENDER_MAIL_PASSWORD": "",
    }
    found = loaded(files, variables)
    assert found.mail.instance_display_name == "Example Identity"
    assert sorted(found.warnings) == [f"{name} is empty, and counts as not set" for name in sorted(variables)]


def test_an_unknown_variable_is_named_with_the_nearest_and_others_are_left_alone(files: Files) -> None:
    """A misspelt one would silently do nothing. What Kubernetes and our own alerts set is none of ours."""
    unknown = {
        "MAIL_SENDER_RELAY_CAPATH": "did you mean MAIL_SENDER_RELAY_CA_PATH?",
        "MAIL_SENDER_TOKENFILE": "did you mean MAIL_SENDER_TOKEN_FILE?",
        "MAIL_SENDER_VERBOSE_PLEASE": "`mail-sender config explain` lists them",
    }
    others = [
        "CLIENT_CONFIG", "CONFIG", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_9310_TCP",
        "PORT_9310_TCP_PROTO", "PORT_9310_TCP_PORT", "PORT_9310_TCP_ADDR", "METRICS_SERVICE_HOST",
        "METRICS_PORT_9310_TCP_ADDR", "ALERT_STATUS", "ALERT_KEY",
    ]  # fmt: skip
    variables = dict.fromkeys(unknown, "s3cr3t") | {f"MAIL_SENDER_{name}": "tcp://10.0.0.1:1" for name in others}
    found = loaded(files, {**variables, "KANIDM_DEBUG": "1", "MAILSENDER_TOKEN": "x"})
    expected = [f"{name} is no variable of mail-sender, and is ignored; {words}" for name, words in unknown.items()]
    assert sorted(found.warnings) == sorted(expected)
