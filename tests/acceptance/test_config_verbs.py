"""`mail-sender config`: what its verbs print, and their exit codes."""

import json
import os
from pathlib import Path

import tomli

from mail_sender.cli import config_text
from mail_sender.config import reference, schema
from tests.support import configs
from tests.support.sender import run, run_here


def files(folder: Path, **values: object) -> tuple[str | Path, ...]:
    """Write both files, and return the flags that name them."""
    return "-c", configs.client(folder), "-m", configs.sender(folder, **values)


def test_check_says_what_a_start_would_say_and_starts_nothing(tmp_path: Path) -> None:
    """The exit code is that of a start: 0, 78, or 77; as root, too, with the same words."""
    good = run("-c", configs.client(tmp_path), "-m", configs.sender(tmp_path), "config", "check")
    assert (good.returncode, good.stdout, good.stderr) == (
        0, "the configuration can be used: no faults, no warnings\n", "",
    )  # fmt: skip
    assert not (tmp_path / "state").exists()
    odd = run_here(*files(tmp_path, mail_password="with-a-break\n"), "config", "check")
    assert odd.returncode == 0
    assert odd.stdout.splitlines()[0].startswith("warning: mail_password (12 characters): a line break around it")
    assert odd.stdout.splitlines()[1] == "the configuration can be used: no faults, 1 warning"
    bad = files(tmp_path, token=None, schedule="daily", headers={"To": "x"})
    said, started = run_here(*bad, "config", "check"), run_here("-s", *bad)
    assert (said.returncode, said.stdout, said.stderr) == (78, "", started.stderr)
    assert said.stderr.startswith("mail-sender: 3 faults in the configuration\n")


def test_check_as_json_has_every_fault_with_its_place(tmp_path: Path) -> None:
    """For a pipeline that puts a configuration in place."""
    env = {"MAIL_SENDER_RETRY_MESSAGE_RETRIES": "five"}
    done = run_here(*files(tmp_path, schedule="daily"), "config", "check", "-o", "json", env=env)
    found = json.loads(done.stdout)
    assert (done.returncode, found["exit"], found["version"], found["warnings"]) == (78, 78, 1, [])
    places = {one["key"]: (one["file"], one["line"], one["variable"]) for one in found["faults"]}
    assert places == {
        "schedule": (str(tmp_path / "mail-sender"), 9, None),
        "retry.message_retries": ("environment", None, "MAIL_SENDER_RETRY_MESSAGE_RETRIES"),
    }


def test_show_is_toml_with_where_each_value_comes_from(tmp_path: Path) -> None:
    """What is printed loads as a configuration, but for its secrets."""
    token = tmp_path / "token"
    token.write_text("a.b.c")
    token.chmod(0o600)
    tables = {"headers": {"X-Set": "identity"}, "brand": {"footer": "long " * 20}}
    paths = files(tmp_path, token=None, relay={"preset": "microsoft365"}, **tables)
    with (tmp_path / "mail-sender").open("a") as file:
        file.write(
            '[[relay.fallback]]\nmail_relay = "smtps://me:pass@other.example.com"\nlocal_name = "mx.example.com"\n'
        )
    env = {"MAIL_SENDER_TOKEN_FILE": str(token), "MAIL_SENDER_DOCTOR_DAILY": "0"}
    done = run_here(*paths, "config", "show", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert f"# {token}, from MAIL_SENDER_TOKEN_FILE:" in lines
    assert 'token = "***"' in lines
    assert "daily = false                             # MAIL_SENDER_DOCTOR_DAILY" in lines
    line = (tmp_path / "mail-sender").read_text().splitlines().index("[headers]") + 1
    assert f'X-Set = "identity"                        # line {line}' in lines
    line = (tmp_path / "mail-sender").read_text().splitlines().index("[relay]") + 2
    assert f"per_minute = 30                           # the preset in line {line}" in lines
    assert 'kind = "sqlite"                           # default' in lines
    assert "# local_name: the From address's domain" in lines
    assert [line for line in lines if len(line) > config_text.WIDTH and "long" not in line and "/" not in line] == []
    client, _, sender = done.stdout.partition("# the mail-sender config")
    assert tomli.loads(client)["uri"] == "https://localhost:1"
    shown = tomli.loads(f"#{sender}")
    assert (shown["ledger"]["path"], shown["mail_password"]) == (str(tmp_path / "state"), "***")
    (other,) = shown["relay"]["fallback"]
    assert other == {"mail_relay": "smtps://***@other.example.com", "local_name": "mx.example.com"}
    rows = {
        one["key"]: one
        for one in json.loads(run_here(*paths, "config", "show", "-o", "json", env=env).stdout)["values"]
    }
    assert rows["token"]["source"] == {
        "kind": "secret_file", "path": str(token), "line": None,
        "named_by": {"kind": "environment", "variable": "MAIL_SENDER_TOKEN_FILE"},
    }  # fmt: skip
    assert (rows["doctor.daily"]["value"], rows["brand.color"]["default"]) == (False, "#1d4ed8")
    assert rows["relay.fallback.0.mail_relay"]["is_secret"]
    plain = {entry.name.removeprefix("client.") for entry in reference.entries() if entry.type != "table"}
    assert {name for name in rows if "fallback" not in name} == {name for name in plain if "fallback" not in name}


def test_show_goes_on_where_something_is_at_fault_and_says_so(tmp_path: Path) -> None:
    """Who looks for a fault sees the rest of the configuration, too; a file that is no TOML has no values."""
    done = run_here(*files(tmp_path, schedule="hunter2 hunter2"), "config", "show")
    assert done.returncode == 78
    assert "# schedule is at fault (line 9)" in done.stdout.splitlines()
    assert 'mail_from_address = "idm@example.com"     # line 4' in done.stdout.splitlines()
    assert "1 fault in the configuration" in done.stderr
    paths = files(tmp_path)
    (tmp_path / "mail-sender").write_text("token = 'no end\n")
    done = run_here(*paths, "config", "show")
    assert (done.returncode, "no quote at its end" in done.stderr) == (78, True)
    missing = run_here("-c", tmp_path / "config", "-m", tmp_path / "none", "config", "show")
    assert f"# the mail-sender config: {tmp_path}/none (no such file)" in missing.stdout


def test_schema_is_that_of_the_documents(tmp_path: Path) -> None:
    """Made from the model of this program."""
    done = run_here("config", "schema")
    assert done.returncode == 0
    assert json.loads(done.stdout) == schema.document()


def test_explain_says_all_of_a_key_and_helps_with_a_misspelt_one() -> None:
    """It reads no configuration, and keeps to 80 columns."""
    done = run_here("-c", os.devnull, "-m", os.devnull, "config", "explain", "relay.local_name")
    assert done.stdout == (
        "[relay] local_name\n\n"
        "  The name that EHLO gives: a host name, or an address such as [192.0.2.1] or\n"
        "  [IPv6:2001:db8::25].\n\n"
        "  type         text\n"
        "  default      the From address's domain\n"
        '  example      local_name = "idm.example.com"\n'
        "  environment  MAIL_SENDER_RELAY_LOCAL_NAME\n"
        "  more         docs/configuration.md\n"
    )
    table = run_here("config", "explain", "relay.warm_up").stdout
    assert "  keys         relay.warm_up.start, relay.warm_up.factor, relay.warm_up.days," in table.splitlines()
    wrong = run_here("config", "explain", "relay.capath")
    assert (wrong.returncode, wrong.stderr) == (
        2, "mail-sender: unknown key 'relay.capath': did you mean relay.ca_path?\n",
    )  # fmt: skip
    every = run_here("config", "explain").stdout.splitlines()
    assert {len(line) <= config_text.WIDTH for line in every} == {True}
    assert len(every) > len(reference.entries())
    (entry,) = json.loads(run_here("config", "explain", "token", "-o", "json").stdout)
    assert (entry["is_secret"], entry["variables"]) == (True, ["MAIL_SENDER_TOKEN", "MAIL_SENDER_TOKEN_FILE"])
