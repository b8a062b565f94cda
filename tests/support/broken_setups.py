"""Set-ups in which something stands in the way of mail, by name: what breaks each, for all tests that look at one.

`World` is the stub's good configuration, which a set-up changes; `BROKEN` are the set-ups. A name is looked up as
`World.NAMES` says, where the test patches `socket.getaddrinfo` by `look_up`; a process of its own knows only localhost.
"""

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import tomli

from mail_sender.ledger import migrations
from tests.support import configs
from tests.support.certificates import Authority
from tests.support.dns_server import DnsServer, Rows, txt
from tests.support.scripted_relay import ScriptedRelay
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.stub import Stub

_KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2dEzIKLYRlAbVavYNI+sDFtXRcwHNwlxazL7TH7GWLpcRhDCfa4u65eC"
    "CtSndyvoP69HuYkbywZKkoPGcw+TEysLnid6mRPIszy7jSJmoU+waVr6HCp50E/L/OsI3EIMrYNPa7jxiaV/Gr5Swaw55fMIiasX"
    "l/Z4kp18vzG130WqSa6f/noae4YWmPGJ4v7akTLze178XHqubetsIncbesM/O8AlrMxtFMKRQcrJRHO+VqIIJu5HAPz1p+PnxtRG"
    "7PwduUySg/gxsN7UhxM5zv/ivNMrux6yMPM7rl7kP88OM85GHYTtVFm+TIrWTBYrFmCzctKILwIQg9Tlyio5uwIDAQAB"
)
"""A public key of RSA; nobody has the private one."""
NAMES = {
    "localhost": ("127.0.0.1",),
    "mail.example.com": ("127.0.0.1",),
    "half.example.com": ("127.0.0.2", "127.0.0.1"),
    "twice.example.com": ("127.0.0.1", "127.0.0.1"),
}
"""The names that there are, and their addresses; nothing listens on 127.0.0.2."""
DNS: Rows = {
    ("example.com", "MX"): ["10 mail.example.com."],
    ("example.com", "TXT"): [txt("v=spf1 ip4:127.0.0.1 -all")],
    ("localhost", "A"): ["127.0.0.1"],
    ("mail.example.com", "A"): ["127.0.0.1"],
    ("s1._domainkey.example.com", "TXT"): [txt(f"v=DKIM1; p={_KEY}")],
    ("_dmarc.example.com", "TXT"): [txt("v=DMARC1; p=reject; rua=mailto:dmarc@example.com")],
}
"""What the name server of a world says: all is well with example.com, and the relay may send for it."""
_OURS = migrations._APPLICATION
_real_look_up = socket.getaddrinfo


def look_up(host: Any, *args: Any, **more: Any) -> Any:
    """Look up a name among `NAMES`, so that no test asks a name server of somebody's."""
    if isinstance(host, str) and host not in NAMES and not host.replace(".", "").isdigit():
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    return [found for address in NAMES.get(host, (host,)) for found in _real_look_up(address, *args, **more)]


@dataclass
class World:
    """The stub with a good configuration, and a CA of the test's own, which both configs may trust."""

    stub: Stub
    folder: Path
    authority: Authority
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def files(self) -> tuple[Path, Path]:
        """The client config and the mail-sender config."""
        return self.stub.client_config, self.stub.sender_config

    def sender(self, **values: object) -> None:
        """Change keys of the mail-sender config; a table is added to the one that is there."""
        found = tomli.loads(self.stub.sender_config.read_text())
        tables = {key: {**found.get(key, {}), **value} for key, value in values.items() if isinstance(value, Mapping)}
        configs.change(self.stub.sender_config, **{**values, **tables})

    def client(self, **values: object) -> None:
        """Change keys of the client config."""
        configs.change(self.stub.client_config, **values)

    def relay(
        self,
        scheme: str,
        made: ScriptedRelay,
        *,
        host: str = "localhost",
        trusted: bool = True,
        pins: Sequence[str] = (),
    ) -> None:
        """Have another relay take the place of the stub's, trusted because of its CA or of pins, or not."""
        self.stack.enter_context(made)
        table = {"pin_sha256": pins} if pins else {"ca_path": self.authority.pem} if trusted else {}
        self.sender(mail_relay=f"{scheme}://{host}:{made.port}", mail_connect_timeout_seconds=1, relay=table)

    def server(self, respond: Callable[[str, str], Answer], *, days: int = 30, trusted: bool = True) -> None:
        """Have another server take the place of the stub's API."""
        made = self.stack.enter_context(ScriptedServer(respond, self.authority.server(days=days)))
        self.client(uri=made.url, **({"ca_path": self.authority.pem} if trusted else {}))

    def dns(self, changes: Mapping[tuple[str, str], Sequence[str] | str | None]) -> None:
        """Have a name server with other records; None takes one out."""
        rows = {key: value for key, value in {**DNS, **changes}.items() if value is not None}
        made = self.stack.enter_context(DnsServer(rows))
        self.sender(doctor={"nameservers": [made.place], "dkim_selectors": ["s1"]})

    def token(self, role: str) -> None:
        """Give the sender the token of another role of the stub's."""
        self.sender(token=self.stub.tokens[role])


@contextmanager
def world(stub: Stub, folder: Path) -> Iterator[World]:
    """Give a world in which all is well; what a set-up starts ends with it."""
    made = World(stub, folder, Authority.make(folder))
    made.sender(relay={"local_name": "mail.example.com"})
    with made.stack:
        made.dns({})
        yield made


# The identity server


def like_kanidm(headers: Mapping[str, str]) -> Callable[[str, str], Answer]:
    """Return what answers like a Kanidm with an empty queue, and these headers."""
    attributes = {"name": ["mail-sender"], "memberof": ["idm_message_senders@localhost"]}
    bodies: dict[str, object] = {
        "/v1/self": {"youare": {"attrs": attributes}},
        "/scim/v1/Entry/mail-sender": {"extAccessCheck": {"modifyPresent": {"Allow": []}}},
        "/scim/v1/Message/_ready": {"schemas": [], "totalResults": 0, "resources": []},
    }

    def respond(_: str, path: str) -> Answer:
        body = bodies.get(path.partition("?")[0], "nomatchingentries")
        return Answer(404 if isinstance(body, str) else 200, json.dumps(body).encode(), headers)

    return respond


def _revoked(world: World) -> None:
    world.server(lambda *_: Answer(401, b'"sessionexpired"'))


def _proxy_page(world: World) -> None:
    world.server(lambda *_: Answer(200, b"<html>Sign in</html>", {"content-type": "text/html"}))


def _server_down(world: World) -> None:
    world.client(uri=f"https://localhost:{_closed_port(world)}")


def _clock_off(world: World) -> None:
    late = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    world.server(like_kanidm({"date": late}))


# The relay


def _closed_port(world: World) -> int:
    taken = world.stack.enter_context(socket.socket())
    taken.bind(("127.0.0.1", 0))
    port: int = taken.getsockname()[1]
    return port


def _password(world: World, before: str = "", after: str = "") -> None:
    password = tomli.loads(world.stub.sender_config.read_text())["mail_password"]
    world.sender(mail_password=f"{before}{password}{after}")


def _no_auth(world: World) -> None:
    world.relay("smtps", ScriptedRelay({"EHLO": "250 relay.example"}, tls=world.authority.server()))


def _says(world: World, reply: str) -> None:
    world.relay("smtps", ScriptedRelay({"MAIL": reply}, tls=world.authority.server()))


def _one_address_dead(world: World) -> None:
    world.relay("smtps", ScriptedRelay(tls=world.authority.server("half.example.com")), host="half.example.com")


# The machine


def _unwritable_ledger(world: World) -> None:
    above = Path(world.stack.enter_context(TemporaryDirectory()))
    above.chmod(0o755)  # pytest's own folders are closed to all others
    state = above / "state"
    state.mkdir()
    if os.geteuid() == 0:
        os.chown(state, 65534, 65534)
    state.chmod(0o500)
    world.sender(ledger={"path": state})


def _newer_ledger(world: World) -> None:
    ledger(world, "PRAGMA user_version = 99")


def _foreign_ledger(world: World) -> None:
    ledger(world, "PRAGMA application_id = 1")


def _damaged_ledger(world: World) -> None:
    ledger(world, "").write_bytes(b"not a database" * 100)


def ledger(world: World, statement: str) -> Path:
    """Give the world a ledger of the first schema, changed by a statement; return its file."""
    state = world.folder / "state"
    state.mkdir(mode=0o700)
    file = state / "ledger.db"
    with closing(sqlite3.connect(file)) as made:
        made.executescript(f"{migrations._SCRIPTS[0]} PRAGMA user_version = 1; PRAGMA application_id = {_OURS};")
        made.executescript(statement)
    world.sender(ledger={"path": state})
    return file


def _disk_full(world: World, blocks: int = 0) -> None:
    numbers = [*os.statvfs(world.folder)]
    numbers[1], numbers[4] = 4096, blocks  # f_frsize, f_bavail
    world.stack.enter_context(patch("os.statvfs", lambda _: os.statvfs_result(numbers)))


def _broken_override(world: World) -> None:
    kind = world.folder / "templates" / "test_message_v1"
    kind.mkdir(parents=True)
    (kind / "body.txt.j2").write_text("Hello {{ nobody_knows_this }}\n")
    world.sender(templates={"override_path": kind.parent})


@dataclass(frozen=True)
class SetUp:
    """What breaks a good set-up, and what is said of it: a check of `doctor`, its level, words of cause and cure.

    One that `is_patched` breaks what this process sees, and no other.
    """

    make: Callable[[World], object]
    check: str
    cause: str
    cure: str
    level: str = "fault"
    is_patched: bool = False


BROKEN: Mapping[str, SetUp] = {
    "bad host": SetUp(
        lambda world: world.sender(mail_relay="smtps://nosuch.invalid"),
        "relay_name",
        'there is no host "nosuch.invalid"',
        "check mail_relay",
    ),
    "wrong port": SetUp(
        lambda world: world.sender(mail_relay=f"smtps://localhost:{_closed_port(world)}"),
        "relay_connection",
        "connection refused",
        "try 465, 587 or 2525",
    ),
    "TLS where STARTTLS is wanted": SetUp(
        lambda world: world.sender(mail_relay=f"smtps://localhost:{world.stub.ports['smtp']}"),
        "relay_tls",
        "does not speak TLS on this port",
        "write smtp://localhost:",
    ),
    "STARTTLS where TLS is wanted": SetUp(
        lambda world: world.relay("smtp", ScriptedRelay(tls=world.authority.server())),
        "relay_greeting",
        "sends no greeting",
        "write smtps://localhost:",
    ),
    "expired certificate": SetUp(
        lambda world: world.relay("smtps", ScriptedRelay(tls=world.authority.server(days=-1))),
        "relay_tls",
        "it has expired",
        "renew the certificate",
    ),
    "certificate for another name": SetUp(
        lambda world: world.relay("smtps", ScriptedRelay(tls=world.authority.server("other.example"))),
        "relay_tls",
        "it is for another name than localhost",
        "write the name that the certificate has into mail_relay",
    ),
    "certificate of an unknown CA": SetUp(
        lambda world: world.relay("smtps", ScriptedRelay(tls=world.authority.server()), trusted=False),
        "relay_tls",
        "its CA is not trusted here",
        "set [relay] ca_path",
    ),
    "certificate of another pin": SetUp(
        lambda world: world.relay("smtps", ScriptedRelay(tls=world.authority.server()), pins=("ab" * 32,)),
        "relay_tls",
        "it has none of the pins",
        "by another way than this connection",
    ),
    "certificate that ends tomorrow": SetUp(
        lambda world: world.relay("smtps", ScriptedRelay(tls=world.authority.server(days=1))),
        "relay_certificate",
        "less than a day left",
        "renew it",
    ),
    "certificate that ends soon": SetUp(
        lambda world: world.relay("smtps", ScriptedRelay(tls=world.authority.server(days=15))),
        "relay_certificate",
        "14 days left",
        "renew it",
        "warning",
    ),
    "no AUTH offered": SetUp(_no_auth, "relay_login", "it offers no AUTH at all", "try another port"),
    "wrong password": SetUp(
        lambda world: world.sender(mail_password="a-password-of-somebody-else"),
        "relay_login",
        "535",
        "check mail_username and mail_password",
    ),
    "password with a trailing newline": SetUp(
        lambda world: _password(world, after="\n"),
        "configuration",
        "mail_password (24 characters): a line break around it is left out",
        "remove it from the file",
        "warning",
    ),
    "password in quotes": SetUp(
        lambda world: _password(world, '"', '"'),
        "relay_login",
        "535",
        "check mail_username and mail_password",
    ),
    "password with a space": SetUp(
        lambda world: _password(world, after=" "),
        "relay_login",
        "535",
        "check mail_username and mail_password",
    ),
    "AUTH offered in clear": SetUp(
        lambda world: world.relay("smtp", ScriptedRelay(starttls=world.authority.server())),
        "relay_auth",
        "it offers logins before TLS as well",
        "smtpd_tls_auth_only",
        "warning",
    ),
    "From refused": SetUp(
        lambda world: _says(world, "553 5.7.1 Sender address rejected: not owned by user"),
        "relay_from",
        "553 5.7.1 Sender address rejected",
        "may not send as mail_from_address",
    ),
    "relay that takes no mail now": SetUp(
        lambda world: _says(world, "451 4.3.2 try later"),
        "relay_from",
        "not now, at mail: 451 4.3.2 try later",
        "try again later",
        "warning",
    ),
    "relay with a dead address": SetUp(
        _one_address_dead, "relay_connection", "127.0.0.2: no connection", "check that it runs", "warning"
    ),
    "read-only token": SetUp(
        lambda world: world.token("readonly"), "token", "the token is read-only", "api-token generate mail-sender"
    ),
    "expired token": SetUp(
        lambda world: world.token("expired"), "token", "by its own words it expired on", "api-token generate"
    ),
    "revoked token": SetUp(_revoked, "token", "it was revoked, or is another server's", "api-token generate"),
    "outsider's token": SetUp(
        lambda world: world.token("outsider"),
        "token_group",
        "outsider is not in idm_message_senders",
        "kanidm group add-members idm_message_senders outsider",
    ),
    "a person's token": SetUp(
        lambda world: world.token("admin"), "token_group", "idm_admin is not in", "group add-members"
    ),
    "server down": SetUp(_server_down, "server_connection", "connection refused", "check that it runs"),
    "proxy page instead of the API": SetUp(
        _proxy_page, "server_api", "a proxy in front?", "any proxy or login page in front of the server"
    ),
    "server's certificate expired": SetUp(
        lambda world: world.server(like_kanidm({}), days=-1), "server_certificate", "it has expired", "renew"
    ),
    "server's certificate of an unknown CA": SetUp(
        lambda world: world.server(like_kanidm({}), trusted=False),
        "server_certificate",
        "its CA is not trusted here",
        "set ca_path in the client config",
    ),
    "unwritable ledger": SetUp(
        _unwritable_ledger, "ledger", "cannot be used (permission denied)", "make it writable for uid"
    ),
    "ledger of a newer version": SetUp(
        _newer_ledger, "ledger", "a newer mail-sender (schema 99)", "run that version"
    ),
    "ledger of another program": SetUp(
        _foreign_ledger, "ledger", "belongs to another program", "set [ledger] path to another folder"
    ),
    "damaged ledger": SetUp(_damaged_ledger, "ledger", "it is not a ledger", "restore it, or move it away"),
    "ledger in a folder that is missing": SetUp(
        lambda world: world.sender(ledger={"path": world.folder / "missing" / "state"}),
        "ledger",
        "no such file or directory",
        "create its parent folder, or mount it",
    ),
    "disk full": SetUp(_disk_full, "disk", "the disk is full", "free some space", is_patched=True),
    "disk nearly full": SetUp(
        lambda world: _disk_full(world, 5_000),
        "disk",
        "20 MiB are free",
        "free some space",
        "warning",
        is_patched=True,
    ),
    "ledger in memory": SetUp(
        lambda world: world.sender(ledger={"kind": "memory"}),
        "ledger",
        "what was sent is forgotten at a stop",
        'set kind = "sqlite"',
        "warning",
    ),
    "broken override": SetUp(
        _broken_override, "templates", 'unknown variable "nobody_knows_this"', "test_message_v1 has"
    ),
    "clock off": SetUp(_clock_off, "clock", "s ahead of the identity server's", "set it"),
    "EHLO localhost": SetUp(
        lambda world: world.sender(relay={"local_name": "localhost"}),
        "ehlo_name",
        'EHLO gives the name "localhost", which every machine has',
        "set [relay] local_name",
        "warning",
    ),
    "EHLO name without an address": SetUp(
        lambda world: world.sender(relay={"local_name": "nosuch.example.com"}),
        "ehlo_name",
        "has no address",
        "set [relay] local_name",
        "warning",
    ),
    "no SPF": SetUp(
        lambda world: world.dns({("example.com", "TXT"): None}),
        "spf",
        "example.com has no SPF record",
        "add a TXT record at example.com",
    ),
    "two SPF": SetUp(
        lambda world: world.dns({("example.com", "TXT"): [txt("v=spf1 -all"), txt("v=spf1 a -all")]}),
        "spf",
        "example.com has 2 SPF records",
        "make one record of them",
    ),
    "SPF over ten look-ups": SetUp(
        lambda world: world.dns({("example.com", "TXT"): [txt("v=spf1 " + "a:mail.example.com " * 11 + "-all")]}),
        "spf",
        "needs 11 DNS look-ups",
        "remove includes of services",
    ),
    "no DMARC": SetUp(
        lambda world: world.dns({("_dmarc.example.com", "TXT"): None}),
        "dmarc",
        "example.com has no DMARC record",
        "add a TXT record at _dmarc.example.com",
        "warning",
    ),
    "missing DKIM key": SetUp(
        lambda world: world.dns({("s1._domainkey.example.com", "TXT"): None}),
        "dkim",
        "there is no DKIM key at s1._domainkey.example.com",
        "publish the TXT record",
    ),
    "no MX": SetUp(
        lambda world: world.dns({("example.com", "MX"): None}),
        "from_domain",
        "has neither an MX record nor an address",
        "add an MX record for example.com",
    ),
    "placeholder for the token": SetUp(
        lambda world: world.sender(token="<your token>"),
        "configuration",
        "token: is still a placeholder",
        "write the",
    ),
    "half a login": SetUp(
        lambda world: world.sender(mail_password=None),
        "configuration",
        "mail_username: is set, but mail_password is not",
        "set both, or neither",
    ),
    "misspelt key": SetUp(
        lambda world: world.sender(mail_form_address="idm@example.com"),
        "configuration",
        "mail_form_address: unknown key",
        'did you mean "mail_from_address"?',
    ),
}
"""The set-ups by name; each has one fault or one warning."""
