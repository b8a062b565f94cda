"""A real Postfix, from Debian's packages, as the relay of a test: on free ports of 127.0.0.1, in folders of its own.

It demands TLS and a login as a provider's relay does: implicit TLS on one port, STARTTLS on another. What it accepts
for example.com goes to a `Mailbox` in the test's process; nothing ever leaves the machine. It touches nothing
of a Postfix that may be configured here, and `stop` ends only the processes that `start` started.

Its folder is not below pytest's tmp_path, which is closed (0700) to the unprivileged user that Postfix's processes
run as, but a temporary folder beside it.
"""

import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from tests.support import configs
from tests.support.mailbox import Mailbox
from tests.support.stub import Stub

DEADLINE_SECONDS = 20
_QUEUES = ("maildrop", "incoming", "active", "deferred")

_MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
enable_long_queue_ids = yes

myhostname = relay.example.com
mydestination =
mynetworks = 127.0.0.1/32
inet_protocols = ipv4
alias_maps =
smtpd_peername_lookup = no
smtp_dns_support_level = disabled

# Known people go to the mailbox, everything else nowhere.
virtual_mailbox_domains = example.com
virtual_mailbox_maps = regexp:{folder}/config/people
virtual_transport = lmtp:inet:127.0.0.1:{mailbox_port}
lmtp_destination_recipient_limit = 1
default_transport = error:5.4.4 this relay sends nothing out
local_transport = error:5.4.4 this relay has no users
notify_classes =

smtpd_tls_chain_files = {folder}/config/leaf.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = relay.example.com
smtpd_sasl_security_options = noanonymous
smtpd_relay_restrictions = reject_unauth_destination, permit_sasl_authenticated, reject
smtpd_recipient_restrictions =
smtpd_error_sleep_time = 0
"""

_MASTER_CF = """\
127.0.0.1:{ports.smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
127.0.0.1:{ports.smtp} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""

# Everybody at example.com but those whose name begins with "nobody".
_PEOPLE = """\
if !/^nobody/
/^[^@]+@example\\.com$/ known
endif
"""

_SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/sasldb
mech_list: PLAIN LOGIN
"""


class Ports(NamedTuple):
    """Where it listens on 127.0.0.1: implicit TLS, and plain with STARTTLS demanded before anything else."""

    smtps: int
    smtp: int


class Postfix:
    """One Postfix with one user, in `folder`; its ports, certificate and password outlive `stop` and `start`.

    `mailbox` gets every mail that it accepts; `ca_pem` is what a client has to trust, for `localhost` and 127.0.0.1.
    """

    username = "mail-sender@relay.example.com"
    password = "correct horse, battery staple"

    def __init__(self, folder: Path, mailbox: Mailbox) -> None:
        self.folder = folder
        self.mailbox = mailbox
        self.ports = _free_ports()
        self.ca_pem = folder / "ca.pem"
        self._config = folder / "config"
        self._log_begins = 0
        self._prepare()

    def start(self) -> None:
        """Start it; back only when it listens (`master -w` waits for that). Raises AssertionError with its log."""
        started = self._run("postfix", "-c", str(self._config), "start")
        assert started.returncode == 0, f"Postfix did not start:\n{started.stderr}\n{self.log()}"

    def stop(self) -> None:
        """End it, and wait for the end of all its processes, since each holds the ports. May be down already."""
        pid = self._pid()
        if pid is None:
            return
        with ExitStack() as watched:
            processes = [watched.enter_context(_watch(each)) for each in (pid, *_children(pid))]
            os.kill(pid, signal.SIGTERM)
            for ended in processes:
                assert select.select([ended], [], [], DEADLINE_SECONDS)[0], f"Postfix (pid {pid}) does not end"

    def delivered(self, at_least: int = 0, within: float = 10.0) -> list[bytes]:
        """The mails that arrived, each once, in order, as soon as there are `at_least` so many."""
        return self.mailbox.mails(at_least, within)

    def handed_over(self, within: float = DEADLINE_SECONDS) -> None:
        """Wait until its queue is empty. Raises AssertionError when it is not `within` so many seconds, or if it ends."""
        end = time.monotonic() + within
        pid = self._pid()
        assert pid is not None, "Postfix is down: its queue stays as it is"
        with _watch(pid) as ended:
            while left := self._queued():
                assert time.monotonic() < end, f"{left} mails are still in Postfix's queue after {within:g} s"
                assert not select.select([ended], [], [], 0.05)[0], (
                    f"Postfix has ended with {left} mails in its queue"
                )

    def _queued(self) -> int:
        return sum(_is_ready(file) for part in _QUEUES for file in (self.folder / "queue" / part).rglob("*"))

    def queue_id_lines(self) -> list[str]:
        """The log's lines about queue entries, from the id on: one `ID: client=` for each acceptance."""
        return re.findall(r"^.*?/\w+\[\d+\]: ([0-9A-Za-z]{10,}: .*)$", self.log(), re.MULTILINE)

    def log(self) -> str:
        """What it has logged since its first start, or since `forget`."""
        return self._whole_log()[self._log_begins :]

    def forget(self) -> None:
        """Begin anew with an empty mailbox and log; what was accepted has to be delivered by now."""
        self.mailbox.empty()
        self._log_begins = len(self._whole_log())

    def _whole_log(self) -> str:
        log = self.folder / "maillog"
        return log.read_text() if log.exists() else ""

    def _prepare(self) -> None:
        self.folder.chmod(0o755)
        for name in ("config/sasl", "queue", "data"):
            (self.folder / name).mkdir(parents=True)
        shutil.chown(self.folder / "data", "postfix")
        for name, text in {"main.cf": _MAIN_CF, "master.cf": _MASTER_CF, "sasl/smtpd.conf": _SASL}.items():
            filled = text.format(folder=self.folder, ports=self.ports, mailbox_port=self.mailbox.port)
            (self._config / name).write_text(filled)
        (self._config / "people").write_text(_PEOPLE)
        # Its start looks at the queue as this user, and has to log what a stop has left half written there.
        log = self.folder / "maillog"
        log.touch()
        shutil.chown(log, "postfix")
        self._prepare_certificate()
        self._prepare_login()

    def _prepare_certificate(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_pem)
        leaf = self._config / "leaf.pem"
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(leaf)
        leaf.chmod(0o600)

    def _prepare_login(self) -> None:
        database = self.folder / "sasldb"
        name, _, realm = self.username.partition("@")
        made = self._run("saslpasswd2", "-p", "-c", "-f", str(database), "-u", realm, name, stdin=self.password)
        assert made.returncode == 0, made.stderr
        shutil.chown(database, "postfix")

    def _pid(self) -> int | None:
        pid_file = self.folder / "queue/pid/master.pid"
        running = (
            pid_file.exists() and self._run("/usr/lib/postfix/sbin/master", "-c", str(self._config), "-t").returncode
        )
        return int(pid_file.read_text()) if running else None

    def _run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
            cwd=self.folder,
        )


def _is_ready(file: Path) -> bool:
    """Say whether a file of its queue is a mail that it has taken: one that it was still writing is not executable."""
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IXUSR)


def _children(pid: int) -> list[int]:
    """The processes that it started and that run now."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def _watch(pid: int) -> Iterator[int]:
    """A descriptor that becomes readable when the process ends (pidfd_open(2)), and is so if it has ended already."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        descriptor = os.open(os.devnull, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _free_ports() -> Ports:
    """Two ports that are free now, below those that the kernel gives to anybody (ip_local_port_range): it keeps them.

    Where the search begins depends on the process, so that workers do not meet.
    """
    free = (port for port in range(20_000 + os.getpid() % 10_000, 32_000) if _is_free(port))
    return Ports(next(free), next(free))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@contextmanager
def _running() -> Iterator[Postfix]:
    with tempfile.TemporaryDirectory(prefix="postfix-") as folder, Mailbox() as mailbox:
        relay = Postfix(Path(folder), mailbox)
        try:
            relay.start()
            yield relay
        finally:
            relay.stop()


@pytest.fixture(scope="session")
def shared_postfix() -> Iterator[Postfix]:
    """The Postfix of a worker."""
    with _running() as relay:
        yield relay


@pytest.fixture
def postfix(shared_postfix: Postfix) -> Postfix:
    """A running Postfix with an empty queue, mailbox and log. The test is marked `debian("postfix", ...)`."""
    shared_postfix.forget()
    return shared_postfix


@pytest.fixture
def fresh_postfix() -> Iterator[Postfix]:
    """One of the test's own: it may leave mail in its queue."""
    with _running() as relay:
        yield relay


def through(postfix: Postfix, stub: Stub, scheme: str) -> None:
    """Have the stub's sender config name Postfix as the relay."""
    port = postfix.ports.smtps if scheme == "smtps" else postfix.ports.smtp
    configs.change(
        stub.sender_config,
        mail_relay=f"{scheme}://localhost:{port}",
        mail_username=postfix.username,
        mail_password=postfix.password,
        schedule="* * * * * *",
        relay={"ca_path": postfix.ca_pem},
    )
