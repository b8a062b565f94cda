"""A running stub for tests: the real `server-stub serve`, as a process, on free ports.

`Stub.start` returns once everything answers. Tests queue, refuse and read as a person does: by the API over TLS, the
command line and the files under DIR.
"""

from __future__ import annotations

import json
import os
import selectors
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import IO, Any, Self

import httpx
import pytest

SERVER_STUB = Path(sys.executable).with_name("server-stub")
START_SECONDS = 30.0
STOP_SECONDS = 15.0


class Stub:
    """A stub identity server of a test's own; stop it, or use it as a context manager."""

    def __init__(self, folder: Path, *flags: str, env: Mapping[str, str] | None = None) -> None:
        self.dir = folder
        self._flags = flags
        self._env = {**os.environ, **(env or {})}
        self._ready_file = folder.with_name(f"{folder.name}.ready.json")
        self.stderr = folder.with_name(f"{folder.name}.stderr")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start the process and wait for the line that says that everything answers."""
        command = [SERVER_STUB, "serve", "--dir", self.dir, "--ready-file", self._ready_file]
        command += [text for flag in ("", "smtps-", "smtp-", "web-") for text in (f"--{flag}port", "0")]
        with self.stderr.open("ab") as stderr:
            self._process = subprocess.Popen(
                [*map(str, command), *self._flags], stdout=subprocess.PIPE, stderr=stderr, env=self._env
            )
        assert self._process.stdout is not None
        if not _says_ready(self._process.stdout):
            self.kill()
            raise AssertionError(f"server-stub did not get ready: {self.stderr.read_text()}")
        self.ports: dict[str, int] = json.loads(self._ready_file.read_text())
        self.tokens: dict[str, str] = json.loads((self.dir / "tokens.json").read_text())
        return self

    def __enter__(self) -> Self:
        return self if self._process else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id, for signals."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> int:
        """End the process by SIGTERM and return its exit code."""
        return self._end("terminate")

    def kill(self) -> int:
        """End the process by SIGKILL and return its exit code."""
        return self._end("kill")

    def wait(self) -> int:
        """Wait for the process to end by itself and return its exit code."""
        return self._end("poll")

    def _end(self, how: str) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        getattr(process, how)()
        try:
            return process.wait(STOP_SECONDS)
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    @property
    def client_config(self) -> Path:
        """The Kanidm client config."""
        return self.dir / "config"

    @property
    def sender_config(self) -> Path:
        """The mail-sender config."""
        return self.dir / "mail-sender"

    @property
    def ca(self) -> Path:
        """The CA certificate."""
        return self.dir / "ca.pem"

    @property
    def url(self) -> str:
        """The API's address."""
        return f"https://localhost:{self.ports['api']}"

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run another verb of the command line on this stub."""
        command = [str(SERVER_STUB), *args, "--dir", str(self.dir)]
        return subprocess.run(command, capture_output=True, text=True, env=self._env, timeout=60, check=False)

    def request(self, method: str, path: str, token: str | None = "readwrite", **rest: Any) -> httpx.Response:
        """Ask the API; `token` is a role of tokens.json, None for nobody."""
        headers = dict(rest.pop("headers", {}))
        if token:
            headers["authorization"] = f"Bearer {self.tokens[token]}"
        trust = ssl.create_default_context(cafile=str(self.ca))
        with httpx.Client(base_url=self.url, verify=trust, trust_env=False, timeout=30) as client:
            return client.request(method, path, headers=headers, **rest)

    def queue(self, entries: Sequence[object]) -> list[str]:
        """Queue raw entries and return their ids."""
        file = self.dir.with_name(f"{self.dir.name}.queue.json")
        file.write_text(json.dumps(list(entries)))
        done = self.run("queue", "--file", str(file))
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def send_test(self, person: str) -> None:
        """Queue a test message as the administrator."""
        answer = self.request("GET", f"/scim/v1/Person/{person}/_message/_send_test", "admin")
        assert answer.status_code == 200, answer.text

    def send_reset(self, account: str, address: str | None = None, ttl: int | None = None) -> None:
        """Queue a credential reset as the administrator."""
        path = f"/v1/person/{account}/_credential/_update_intent_send"
        answer = self.request("POST", path, "admin", json={"ttl": ttl, "email": address})
        assert answer.status_code == 200, answer.text

    def messages(self) -> list[dict[str, Any]]:
        """Return every entry of the queue, sent or not.

        As the service account: a person's token fails to list long queues on a real server.
        """
        resources: list[dict[str, Any]] = self.request("GET", "/scim/v1/Message").json()["resources"]
        return resources

    def mails(self) -> list[EmailMessage]:
        """Return the mails that the relay accepted, in order of arrival."""
        paths = sorted((self.dir / "mail").glob("*.eml"))
        return [message_from_bytes(path.read_bytes(), policy=default) for path in paths]

    def envelopes(self) -> list[dict[str, Any]]:
        """Return the envelopes of these mails, in the same sequence."""
        paths = sorted((self.dir / "mail").glob("*.eml"))
        return [json.loads(path.with_suffix(".json").read_text()) for path in paths]

    def refuse(self, recipient: str, code: int = 550, text: str = "5.1.1 No such user here") -> None:
        """Have the relay refuse one more recipient from now on."""
        rule = f"[[refuse]]\nrecipient = {json.dumps(recipient)}\ncode = {code}\ntext = {json.dumps(text)}\n"
        file = self.dir / "refuse.toml"
        partial = file.with_suffix(".partial")
        partial.write_text((file.read_text() if file.exists() else "") + rule)
        partial.replace(file)


def _says_ready(stdout: IO[bytes]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(stdout.fileno(), 4096)
            said += chunk
            if said.endswith(b"\nready\n"):
                return True
            if not chunk:
                return False
    return False


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    """Give a running stub with an empty queue."""
    with Stub(tmp_path / "stub") as running:
        yield running
