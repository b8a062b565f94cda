"""What counts for each key, and where it comes from."""

from collections.abc import Mapping

from mail_sender.config import effective, sources
from mail_sender.config.effective import Value
from mail_sender.config.secrets import HIDDEN
from tests.support.config_files import CLIENT, SENDER, Files, lines

NOTHING: Mapping[str, str] = {}


def values(
    files: Files, tables: str = "", variables: Mapping[str, str] = NOTHING, *at_fault: str
) -> dict[str, Value]:
    """Return the values of good files with tables at the end, by name; those of the client config as `client.uri`."""
    files.write(lines(SENDER) + tables, lines(CLIENT))
    found = effective.values(sources.read(files.client, files.sender, variables), at_fault)
    return {f"client.{one.name}" if one.entry.file == "client" else one.name: one for one in found}


def origin(value: Value) -> str:
    """Return where a value comes from."""
    return "default" if value.origin is None else str(value.origin)


def test_each_value_has_its_origin(files: Files) -> None:
    """A line, a variable, a secret's file and who names it, a credential, the default."""
    secret = files.folder / "password"
    secret.write_text("battery staple")
    (files.folder / "credentials").mkdir()
    (files.folder / "credentials" / "alert.url").write_text("https://hooks.example.com/x")
    files.write(lines({**SENDER, "mail_password": None, "mail_password_path": f'"{secret}"'}), lines(CLIENT))
    variables = {
        "MAIL_SENDER_BRAND_NAME": "Mine",
        "MAIL_SENDER_CLIENT_CONNECT_TIMEOUT": "7",
        "CREDENTIALS_DIRECTORY": f"{files.folder}/credentials",
    }
    found = {one.name: one for one in effective.values(sources.read(files.client, files.sender, variables), ())}
    shown = {name: (found[name].value, origin(found[name])) for name in (
        "uri", "connect_timeout", "schedule", "instance_url", "brand.name", "brand.color", "mail_password", "alert.url",
    )}  # fmt: skip
    assert shown == {
        "uri": ("https://idm.example.com", f"{files.client}:1"),
        "connect_timeout": (7, "MAIL_SENDER_CLIENT_CONNECT_TIMEOUT"),
        "schedule": ("*/5 * * * * * *", "default"),
        "instance_url": ("https://idm.example.com", f"{files.sender}:3"),
        "brand.name": ("Mine", "MAIL_SENDER_BRAND_NAME"),
        "brand.color": (None, "default"),
        "mail_password": (HIDDEN, f"{secret} (mail_password_path in {files.sender}:8)"),
        "alert.url": (HIDDEN, f"{files.folder}/credentials/alert.url (a systemd credential)"),
    }


def test_secrets_are_hidden_and_the_rest_of_a_value_is_shown(files: Files) -> None:
    """Of a relay its login; of headers and of a command every part; of a URL its login and query."""
    table = (
        '[headers]\nX-Api-Key = "hunter2"\nX-Set = "identity"\n'
        '[alert]\ncommand = ["/bin/true", "-x"]\nheaders = { A = "b" }\n'
        f'[relay]\npin_sha256 = ["{"0a" * 32}"]\n'
        '[ledger]\npath = "/srv/A1b2C3d4E5f6G7h8/state"\n'
    )
    variables = {
        "MAIL_SENDER_MAIL_RELAY": "smtps://me:p@ss/w@relay.example.com:465?x=y",
        "MAIL_SENDER_CLIENT_URI": "https://me:pass@idm.example.com/?token=x",
    }
    found = values(files, table, variables)
    assert found["mail_relay"].value == f"smtps://{HIDDEN}@relay.example.com:465?{HIDDEN}"
    assert found["client.uri"].value == f"https://{HIDDEN}@idm.example.com/?{HIDDEN}"
    assert found["headers"].value == {"X-Api-Key": HIDDEN, "X-Set": "identity"}
    assert found["relay.pin_sha256"].value == ["0a" * 32]
    assert found["ledger.path"].value == "/srv/A1b2C3d4E5f6G7h8/state"
    assert (found["alert.command"].value, found["alert.headers"].value) == ([HIDDEN, HIDDEN], {"A": HIDDEN})
    assert {found[key].value for key in ("token", "mail_username", "mail_password")} == {HIDDEN}


def test_a_key_at_fault_has_no_value(files: Files) -> None:
    """Something else may stand there: also where the fault is the table's, or a key's inside it."""
    table = '[headers]\nA = "hunter2"\n[relay]\nwarm_up = "hunter2"\n[brand]\nname = "x"\n'
    found = values(files, table, {}, "headers.A", "relay.warm_up", "schedule", "brand")
    assert [name for name, one in found.items() if one.is_at_fault] == [
        "schedule", "relay.warm_up.start", "relay.warm_up.factor", "relay.warm_up.days", "relay.warm_up.from",
        "headers", "brand.name", "brand.color", "brand.logo_path", "brand.support", "brand.footer",
    ]  # fmt: skip
    assert {one.value for one in found.values() if one.is_at_fault} == {None}


def test_plain_data_is_written_as_toml() -> None:
    """On one line, so that it can be copied into a file."""
    assert effective.toml_pair("a b", {"x": [1, True, 'say "no"'], "é": 1.5}) == (
        '"a b" = { x = [1, true, "say \\"no\\""], "é" = 1.5 }'
    )
