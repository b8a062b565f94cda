"""A secret shows in no output, wherever somebody has put it, and whoever says it again.

1. `FILES`: secrets in each place of the two files, right or wrong. No fault, no warning and no finding shows one.
2. `ELSEWHERE`: secrets in variables, and in files that hold a secret alone, right or wrong.
3. `WORLDS`: a sender at work that has secrets wherever they belong, and a server, a relay or a template that says them
   again. Every output is asked for, in this process; none shows one.
"""

import asyncio
import base64
import io
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import tomli
import typer

from mail_sender import log
from mail_sender.cli import app, config_output, doctor_output, ledger_place, status_output
from mail_sender.config import load
from mail_sender.config.keys import OAuthTable
from mail_sender.errors import ConfigError, MailSenderError
from mail_sender.lifecycle import Signals
from mail_sender.preview import lenient_config
from mail_sender.relay.oauth import bearer
from mail_sender.wiring import serve
from tests.acceptance.test_what_the_operator_sees import fetch
from tests.support import broken_setups, configs
from tests.support.broken_setups import World
from tests.support.scripted_relay import ScriptedRelay
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.service_manager import ServiceManager
from tests.support.stub import Stub
from tests.support.token_endpoint import TokenEndpoint, granted, refused

SECRET = "hunter2-S3cr3t-x9Zq"
JWS = "eyJhbGciOiJFUzI1NiJ9.eyJhY2NvdW50IjoiaHVudGVyMiJ9.c2lnbmF0dXJlLW9mLWh1bnRlcjI"
PLAIN = "correct horse battery"
PIECE = 8
"""Characters of a secret that may not be shown together."""
DEADLINE = 30.0


def shown_of(text: str, secrets: tuple[str, ...]) -> list[str]:
    """Return the pieces of the secrets that stand in a text."""
    pieces = {secret[at : at + PIECE] for secret in secrets for at in range(max(1, len(secret) - PIECE + 1))}
    return [f"{piece}: {text[max(0, text.find(piece) - 90) :][:200]}" for piece in sorted(pieces) if piece in text]


# 1. In the files

NO_LOGIN: dict[str, object] = {"mail_username": None, "mail_password": None}
WRONG_KEYS = (
    "mail_username", "mail_reply_to_address", "mail_from_address", "schedule", "instance_url", "mail_pasword",
    "mail_connect_timeout_seconds", "password", "smtp_password", "relay", "headers", "alert", "brand", "templates",
    "observe", "recipients", "doctor", "retry", "ledger", "worker",
)  # fmt: skip
WRONG_PLACES = (
    "relay.local_name_", "relay.kind", "relay.password", "observe.listen", "observe.log_format", "brand.color",
    "templates.default_language", "templates.time_zone", "headers.Bad Name", "headers.mail_password", "alert.format",
    "alert.token", "alert.url", "recipients.disposable", "nowhere.token", "ledger.kind",
)  # fmt: skip
URLS = (
    "https://me:{}@idm.example.com:99999", "https://{}@idm.example.com:99999", "https://idm.example.com:99999?t={}",
    "https://idm.example.com:99999/{}", "https://me:a b{}@idm.example.com", "me:{}@idm.example.com",
    "https://me:p@ss{}@idm.example.com", "https://me:a/{}@idm.example.com", "https://me:a#{}@idm.example.com",
    "https://me:a?{}@idm.example.com", "https://idm.example.com/#{}", "https://me:{}@idm.example.com",
)  # fmt: skip
RELAYS = (
    "smtps://me:{}@relay.example.com", "smtps://{}@relay.example.com", "smtps://me:a@{}@relay.example.com",
    "smtps://me:a/{}@relay.example.com", "smtps://relay.example.com?password={}", "smtps://me:{}@",
    "me:{}@relay.example.com:x", "smtps://me:{} relay.example.com", "https://me:{}@relay.example.com",
)  # fmt: skip
NOT_TOML = (
    "mail_password = {}", "mail_password = '{}", 'mail_password = "{}', 'mail_password = "a"{}"', "mail_password: {}",
    'mail_password = "\\{}"', "{}", "{} = 5", "[{}]\ntoken = 1", "mail_password = {{ {} = 1, {} = 2 }}",
    "a.{}=1\na.{}.b=2", "mail_password = 0x{}", "relay.{} = 1", "mail_password.{} = 1", "mail_password = 1979-{}",
)  # fmt: skip
COMMANDS: tuple[object, ...] = (
    f"curl {SECRET}", [f"curl -H Authorization:{SECRET} https://hooks.example.com"], [SECRET], ["/bin/true", SECRET],
)  # fmt: skip


def in_table(place: str, value: object) -> dict[str, object]:
    """Return a table with one key."""
    table, _, key = place.partition(".")
    return {table: {key: value}}


Change = tuple[str, Mapping[str, object], Mapping[str, object], str]
"""A name, keys of the client config, keys of the mail-sender config, and a text at the front of that."""


def of_sender(name: str, **values: Any) -> Change:
    """Return a change of the mail-sender config alone."""
    return f"{name} {values}", {}, values, ""


def in_wrong_places() -> Iterator[Change]:
    """Yield secrets under keys that are not theirs."""
    for secret in (SECRET, JWS):
        for key in WRONG_KEYS:
            yield of_sender("text", **{key: secret})
            yield of_sender("list", **{key: [secret]})
        for place in WRONG_PLACES:
            yield of_sender("in a table", **in_table(place, secret))
    for key in ("mail_reply_to_address", "schedule"):
        yield of_sender("a password of plain words", **{key: PLAIN, "mail_password": PLAIN})
    yield of_sender("a number", headers={"X-Key": 1234567890123})
    for command_ in COMMANDS:
        yield of_sender("a command", alert={"command": command_})
    for name in (*(name for name in OAuthTable.model_fields if not name.endswith("_path")), "token"):
        yield of_sender("OAuth", relay={"preset": "microsoft365", "oauth": {"flow": "command", name: SECRET}})
        yield of_sender("OAuth list", relay={"preset": SECRET, "oauth": {"flow": "refresh_token", name: [SECRET]}})
    for key, value in {"password": SECRET, "verify_ca": SECRET, "connect_timeout": SECRET, "o": {"k": JWS}}.items():
        yield f"the client's {key}", {key: value}, {}, ""


def misspelt() -> Iterator[Change]:
    """Yield secrets in their places, with something around them, and in what cannot be read."""
    for text in (f"{JWS} junk", f"Bearer {JWS}", f'"{JWS}"', f"{JWS}\n{SECRET}"):
        yield of_sender("a token", token=text)
    for text in (f"{SECRET}\n", f" {SECRET} ", f'"{SECRET}"', f"{SECRET}\u200b"):
        yield of_sender("a password", mail_password=text)
    for url in URLS:
        yield f"uri {url}", {"uri": url.format(SECRET)}, {}, ""
        yield of_sender("a URL", instance_url=url.format(SECRET))
        yield of_sender("a webhook", alert={"url": url.format(SECRET).replace("https", "http")})
    for relay in RELAYS:
        yield of_sender("a relay", mail_relay=relay.format(SECRET), **NO_LOGIN)
    for text in NOT_TOML:
        yield f"text {text}", {}, {"mail_password": None}, text.format(*[SECRET] * 2) + "\n"


FILES = {change[0]: change[1:] for change in (*in_wrong_places(), *misspelt())}


def test_no_place_in_the_files_shows_a_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a sender, a template verb, a queue verb and `doctor` say of a file names the key, and not its value."""
    wrong: dict[str, str] = {}
    for name, (client, sender, front) in FILES.items():
        paths = configs.client(tmp_path, **client), configs.sender(tmp_path, **sender)
        paths[1].write_text(front + paths[1].read_text())
        said = said_of(paths) + "".join(capsys.readouterr())
        secrets = (SECRET, *JWS.split("."), "horse battery", "1234567890123", SECRET.lower())
        if found := shown_of(said, secrets):
            wrong[name] = found[0]
    assert wrong == {}


def checked(paths: tuple[Path, Path]) -> str:
    """Return what `config` says of two files, beside what it prints, which is all that a start would say."""
    said = ""
    for verb in (config_output.print_check, config_output.print_values):
        try:
            verb(*paths, "text")
        except ConfigError as error:
            said = f"{error} {error.faults!r}"
    return said


def said_of(paths: tuple[Path, Path]) -> str:
    """Return what is said of two files, beside what is printed."""
    said: list[str] = []
    try:
        config_output.print_values(*paths, "text")
    except ConfigError as error:
        said.append(f"{error} {error.faults!r}")
    try:
        found = lenient_config.read(paths[1])
        said.append(f"{found.faults} {found.elsewhere} {found.warnings}")
    except ConfigError as error:
        said.append(str(error))
    with suppress(ValueError):
        ledger_place.read(paths[1])
    doctor_output.print_report(paths, "text", ["configuration", "templates"], debug=True)
    return "\n".join(said)


# 2. Beside the files

HELD = "{folder}/held"
"""A file that holds the secret alone."""
HELD_TWICE = "{folder}/twice"
"""A file that holds it twice, with a line break between."""
ELSEWHERE: dict[str, tuple[dict[str, str], dict[str, object]]] = {
    **{
        f"{name}={text}": ({f"MAIL_SENDER_{name}": text}, {"token": None} if name.startswith("TOKEN") else NO_LOGIN)
        for name in (
            "TOKEN", "TOKEN_FILE", "TOKEN_PATH", "MAIL_PASSWORD", "MAIL_PASSWORD_FILE", "MAIL_USERNAME", "MAIL_PASSWROD",
            "TOKN", "SCHEDULE", "MAIL_FROM_ADDRESS", "RELAY_KIND", "RETRY_MESSAGE_RETRIES", "HEADERS", "TEMPLATES_HTML",
            "DOCTOR_DKIM_SELECTORS", "ALERT_URL", "ALERT_URL_FILE", "ALERT_COMMAND", "ALERT_HEADERS", "CLIENT_TOKEN",
        )
        for text in (SECRET, f"{JWS} junk", f'{{"X-Key": "{SECRET}"}}')
    },
    **{
        f"the password in {name}={text}": ({f"MAIL_SENDER_{name}": text, "MAIL_SENDER_MAIL_USERNAME": "me"}, NO_LOGIN)
        for name in ("MAIL_PASSWORD", "MAIL_PASSWORD_FILE")
        for text in (SECRET, f" {SECRET}\n", PLAIN, HELD, HELD_TWICE, f"{SECRET}/{SECRET}", "/" + SECRET)
    },
    "a relay": ({"MAIL_SENDER_MAIL_RELAY": f"smtps://me:{SECRET}@relay.example.com"}, NO_LOGIN),
    "no relay": ({"MAIL_SENDER_MAIL_RELAY": f"smtps://me:{SECRET} relay.example.com"}, NO_LOGIN),
    "a server": ({"MAIL_SENDER_CLIENT_URI": f"https://me:{SECRET}@idm.example.com"}, {}),
    "no server": ({"MAIL_SENDER_CLIENT_URI": f"https://me:{SECRET}@idm.example.com:99999"}, {}),
    "a webhook": ({"MAIL_SENDER_ALERT_URL": f"http://hooks.example.com/{SECRET}?key={SECRET}"}, {}),
    "two passwords": ({"MAIL_SENDER_MAIL_PASSWORD": SECRET}, {"mail_password": f"{SECRET}-of-the-file"}),
    "two files": ({"MAIL_SENDER_MAIL_PASSWORD_FILE": HELD}, {"mail_password": None, "mail_password_path": HELD_TWICE}),
    "the token in a file": ({"MAIL_SENDER_TOKEN_FILE": HELD}, {"token": None}),
    "two tokens in a file": ({"MAIL_SENDER_TOKEN_FILE": HELD_TWICE}, {"token": None}),
    "a path in the file": ({}, {"token": None, "token_path": HELD_TWICE}),
    "a password in its path's place": ({}, {"mail_password": None, "mail_password_path": PLAIN}),
    "a token in its path's place": ({}, {"token": None, "token_path": JWS * 9}),
    "a webhook in a file": ({}, {"alert": {"url_path": HELD}}),
    "a credential": ({"CREDENTIALS_DIRECTORY": "{folder}/credentials"}, {"token": None}),
}  # fmt: skip


def test_no_variable_and_no_file_of_a_secret_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said of them names the variable or the file, and not what it holds."""
    (tmp_path / "credentials").mkdir()
    for name, text in (
        ("held", SECRET),
        ("twice", f"{SECRET}\n{SECRET}\n"),
        ("credentials/token", f"{JWS} {SECRET}"),
    ):
        (tmp_path / name).write_text(text)
    wrong: dict[str, str] = {}
    for name, (variables, values) in ELSEWHERE.items():
        filled = json.loads(json.dumps(values).replace("{folder}", str(tmp_path)))
        paths = configs.client(tmp_path), configs.sender(tmp_path, **filled)
        with monkeypatch.context() as environment:
            for variable, text in variables.items():
                environment.setenv(variable, text.replace("{folder}", str(tmp_path)))
            said = checked(paths) + "".join(capsys.readouterr())
        if found := shown_of(said, (SECRET, *JWS.split("."), "horse battery", SECRET.lower())):
            wrong[name] = found[0]
    assert wrong == {}


# 3. Of a sender at work

PASSWORD = 'pa55 S3cr3t "quoted" x9Zq'
SECRETS = {
    "webhook": "T0K3N-w3bh00k-9Zq", "login": "l0g1n-S3cr3t-9Zq", "query": "qu3ry-S3cr3t-9Zq", "header": "h3ad3r-S3cr3t-9Zq",
    "argument": "4rgum3nt-0f-7Kp2w", "x-api-key": "x4p1-S3cr3t-9Zq", "field": "f13ld-S3cr3t-9Zq",
    "uri": "ur1-S3cr3t-9Zq", "rejected": "r3j3ct3d-S3cr3T-9Zq",
    "access": "ya29.a0AcM612x-4cc3ss-T0k3n-Zq7Rb", "refresh": "1//r3fr3sh-T0k3n-Zq7Rb",
}  # fmt: skip
PERSON = "ellie@example.com"
ECHOED = (PASSWORD, *(base64.b64encode(text.encode()).decode() for text in (PASSWORD, f"\0mail-sender\0{PASSWORD}")))
"""What the relay hears at a login: the password, as it is and as AUTH LOGIN and AUTH PLAIN have it."""


class Log(io.StringIO):
    """Standard error of this process; `wait_for` returns once all these words stand there."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def write(self, text: str) -> int:
        """Take in a text."""
        with self._changed:
            self._changed.notify_all()
            return super().write(text)

    def wait_for(self, *words: str) -> None:
        """Wait for words."""
        with self._changed:
            come = self._changed.wait_for(lambda: all(word in self.getvalue() for word in words), DEADLINE)
        assert come, self.getvalue()


@dataclass
class AtWork:
    """A world, its log, and who hears of what goes on in it."""

    world: World
    stderr: Log
    hook: ScriptedServer
    manager: ServiceManager

    @property
    def folder(self) -> Path:
        """Where the command of [alert] puts what it gets."""
        return self.world.folder

    def at(self) -> str:
        """Return the place where the sender listens."""
        self.stderr.wait_for("observe_listening")
        return self.stderr.getvalue().partition("at=127.0.0.1:")[2].split()[0]


def intents(world: World) -> list[str]:
    """Return the intent ids of the queued resets."""
    found = [one["message_template"] for one in world.stub.messages()]
    return [one["CredentialResetV1"]["intent_id"] for one in found if "CredentialResetV1" in one]


def token(world: World) -> str:
    """Return the token."""
    return str(tomli.loads(world.stub.sender_config.read_text())["token"])


def relay_says(stage: str, code: str) -> Callable[[World], None]:
    """Return what makes a relay that repeats at a stage all that it has heard by then."""

    def make(world: World) -> None:
        known = intents(world) if stage == "DOT" else []
        links = " ".join(f"https://idm.example.com/ui/reset?token={one} {one}" for one in known)
        replies = {stage: f"{code} no: {' '.join(ECHOED)} <{PERSON}> {links}"}
        world.relay("smtps", ScriptedRelay(replies, tls=world.authority.server()))

    return make


def token_refused(world: World) -> None:
    """Have a token endpoint that repeats the client secret, and a relay that repeats the token as it heard it."""
    access, refresh = SECRETS["access"], SECRETS["refresh"]
    answers = [granted(access, refresh_token=f"{refresh}-2"), refused(400, "odd", f"no {PASSWORD}, no {refresh}-2")]
    at = world.stack.enter_context(TokenEndpoint(answers, world.authority.server()))
    heard = f"{access} {base64.b64encode(access.encode()).decode()} {bearer.xoauth2('mail-sender', access)}"
    replies = {"EHLO": "250-relay.example\r\n250 AUTH XOAUTH2", "AUTH": f"535 5.7.8 no {heard}"}
    world.relay("smtps", ScriptedRelay(replies, tls=world.authority.server()))
    table = {"flow": "refresh_token", "token_url": at.url, "client_id": "app", "client_secret": PASSWORD}
    world.sender(mail_password_path=None, relay={"oauth": {**table, "refresh_token": refresh}})


def server_says_the_token(world: World) -> None:
    """Have an account whose name is the token, in a group of the same name."""
    attributes = {"name": [token(world)], "memberof": [f"{token(world)}@localhost"]}
    body = json.dumps({"youare": {"attrs": attributes}}).encode()
    world.server(lambda *_: Answer(200, body, {"x-kanidm-version": token(world)[:39]}))


def server_fails(world: World) -> None:
    """Have a server whose error is the token."""
    world.server(lambda *_: Answer(500, json.dumps(token(world)).encode(), {"retry-after": token(world)}))


def template_fails(world: World) -> None:
    """Have a template of the operator's that fails with the link in its hands, and not with a sample's."""
    relay_says("RCPT", "450 4.2.0")(world)
    kind = world.folder / "templates" / "credential_reset_v1"
    kind.mkdir(parents=True)
    fails = "{{ {}[reset_url] if 'spec1' not in reset_url }}"
    (kind / "body.txt.j2").write_text(f"{{{{ reset_url }}}} {fails}\n")
    world.sender(templates={"override_path": kind.parent})


@dataclass(frozen=True)
class Case:
    """What makes a world, the form of its alerts and of its log, and the events to wait for."""

    make: Callable[[World], None]
    alerts: str
    events: tuple[str, ...]


WORLDS = {
    "login refused": Case(relay_says("AUTH", "535 5.7.8"), "json", ("relay_down",)),
    "sender refused": Case(relay_says("MAIL", "550 5.7.1"), "slack", ("relay_down",)),
    "mail refused": Case(relay_says("DOT", "550 5.7.1"), "alertmanager", ("relay_down",)),
    "token refused": Case(token_refused, "json", ("relay_down",)),
    "a template that fails": Case(template_fails, "ntfy", ("template_failed", "deferred")),
    "a server that says the token": Case(server_says_the_token, "json", ("server_down",)),
    "a server that fails": Case(server_fails, "slack", ("server_down",)),
}


@pytest.fixture
def at_work(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AtWork]:
    """Give a world with secrets wherever they belong, in which a reset and a message of an unknown kind wait."""
    monkeypatch.setattr(socket, "getaddrinfo", broken_setups.look_up)
    monkeypatch.setenv("SSL_CERT_FILE", str(stub.ca))
    # The commands run in this process, whose log is the sender's.
    monkeypatch.setattr(status_output, "time", SimpleNamespace(monotonic=time.monotonic, sleep=interrupted))
    stub.send_reset("ellie")
    stub.queue([{
        "mail_destination": [{"primary": True, "value": PERSON}],
        "message_template": {"SecretV1": {"display_name": "Ellie", "code": SECRETS["field"]}},
    }])  # fmt: skip
    with (
        broken_setups.world(stub, tmp_path) as world,
        ServiceManager.listening(tmp_path / "notify") as manager,
        ScriptedServer(lambda *_: Answer(403, f"no {SECRETS}".encode())) as hook,
    ):
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        place = hook.url.replace("://", f"://me:{SECRETS['login']}@")
        script = f'cat >> {tmp_path}/told; env | grep ALERT_ >> {tmp_path}/told; echo bad "$@"; exit 1'
        world.sender(
            mail_username="mail-sender",
            mail_password=None,
            mail_password_path=held(tmp_path / "password", f"{PASSWORD}\n"),
            headers={"X-Api-Key": SECRETS["x-api-key"]},
            ledger={"path": tmp_path / "state"},
            observe={"listen": "127.0.0.1:0"},
            doctor={"daily": False},
            schedule="* * * * * *",
            alert={
                "url_path": held(tmp_path / "url", f"{place}/services/{SECRETS['webhook']}?key={SECRETS['query']}"),
                "headers": {"Authorization": f"Bearer {SECRETS['header']}"},
                "command": ["/bin/sh", "-c", script, "sh", SECRETS["argument"], f"--key={SECRETS['argument']}"],
                "after_seconds": 1,
            },
        )
        yield AtWork(world, Log(), hook, manager)


def held(path: Path, text: str) -> Path:
    """Write a file that holds a secret alone."""
    path.write_text(text)
    return path


def interrupted(_: float) -> None:
    """End what waits, as Ctrl-C does."""
    raise KeyboardInterrupt


@contextmanager
def sender(world: World) -> Iterator[None]:
    """Run the sender in a thread of its own."""
    config = load.load(*world.files)
    log.configure(debug=True, form="text", secrets=config.secrets)
    loop, signals = asyncio.new_event_loop(), Signals()

    async def work() -> None:
        await serve.run(config, lambda: load.load(*world.files), signals)

    thread = threading.Thread(target=lambda: loop.run_until_complete(work()))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(signals.stop.set)
        thread.join(DEADLINE)
        loop.close()


def command(world: World, *words: str) -> None:
    """Run a command of the program in this process; what it prints is captured."""
    client, config = map(str, world.files)
    with suppress(SystemExit, click.exceptions.Exit):
        try:
            app.app(["-s", "-c", client, "-m", config, *words], prog_name="mail-sender", standalone_mode=False)
        except MailSenderError as error:
            typer.echo(error)


def message_ids(out: str) -> list[str]:
    """Return the ids of a list of deliveries in JSON."""
    return [line["message"] for line in map(json.loads, out.splitlines()) if "message" in line]


@pytest.mark.parametrize("name", WORLDS)
def test_no_output_shows_a_secret(
    at_work: AtWork, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Neither the log nor any command, neither the listener nor an alert, neither of a relay nor of a server."""
    world, case = at_work.world, WORLDS[name]
    said: dict[str, str] = {}
    monkeypatch.setattr(sys, "stderr", at_work.stderr)
    links = intents(world)
    world.sender(alert={"format": case.alerts})
    case.make(world)
    client = world.files[0]
    uri = tomli.loads(client.read_text())["uri"]
    world.client(uri=uri.replace("://", f"://me:{SECRETS['uri']}@"))

    def ask(*words: str) -> str:
        command(world, *words)
        said[" ".join(words)] = "".join(capsys.readouterr())
        return said[" ".join(words)]

    with sender(world):
        monkeypatch.setattr(log, "configure", lambda **_: None)
        at_work.stderr.wait_for(*case.events, "alerts_down")
        for form in ("text", "json"):
            ask("status", "-o", form)
            ask("status", "--watch", "-o", form)
            for one in message_ids(ask("queue", "list", "-o", "json")):
                ask("queue", "show", one, "-o", form)
            ask("doctor", "-o", form)
            ask("config", "show", "-o", form)
            ask("config", "check", "-o", form)
        ask("queue", "list")
        ask("healthcheck", "--ready")
        ask("alert", "test")
        ask("-t", "you@example.com")
        ask("queue", "flush")
        for path in ("/health/alive", "/health/ready", "/metrics", "/"):
            said[path] = fetch(f"http://127.0.0.1:{at_work.at()}{path}")[1]
        world.sender(mail_reply_to_address=SECRETS["rejected"], schedule=PASSWORD, mail_pasword=SECRETS["rejected"])
        at_work.stderr.wait_for("config_rejected")
        ask("status", "-o", "text")
        said["the page, later"] = fetch(f"http://127.0.0.1:{at_work.at()}/")[1]
    ask("run", "--once")
    ask("queue", "list", "-o", "json")
    said["the log"] = at_work.stderr.getvalue()
    said["systemd"] = "\n".join(at_work.manager.within(0))
    said["the webhook"] = str([body.decode() for _, body in at_work.hook.posted])
    said["the command"] = (at_work.folder / "told").read_text()
    secrets = (*ECHOED, *token(world).split("."), *SECRETS.values())
    # A test mail has no link; the relay of this test quotes one all the same.
    known = {output: secrets if output.startswith("-t") else (*secrets, *links) for output in said}
    wrong = {output: found for output, text in said.items() if (found := shown_of(text, known[output]))}
    wrong |= {output: [PERSON] for output, text in said.items() if PERSON in text}
    assert wrong == {}
    assert [output for output, text in said.items() if not text and not output.startswith("queue list")] == []
