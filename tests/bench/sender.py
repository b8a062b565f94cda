"""The sender of a benchmark: the installed program with real configuration files, beside the doubles."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Self

from tests.bench import usage
from tests.bench.bare import PASSWORD, SENDER, USER
from tests.bench.doubles import Doubles, pause
from tests.support import configs

MAIL_SENDER = (str(Path(sys.executable).with_name("mail-sender")),)
PROFILED = (sys.executable, "-m", "tests.bench.profiled")
EVERY_SECOND = "* * * * * *"
STOP_SECONDS = 60.0


class RunningSender:
    """A sender that has sent one mail, and waits for the next tick of its schedule.

    `started_after` is how long it took from its start until it had read its first list, in seconds; `started_cpu` the
    CPU time until its first mail was marked, with that of the process that read its configuration. Of several, each has
    a number, from 0 on, and `ledger` says which one they share.
    """

    def __init__(
        self,
        doubles: Doubles,
        connections: int,
        *,
        schedule: str = EVERY_SECOND,
        program: Sequence[str] = MAIL_SENDER,
        number: int = 0,
        ledger: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._doubles = doubles
        self._number = number
        self._folder = doubles.folder / f"sender-{number}"
        self._folder.mkdir(exist_ok=True)
        client = configs.client(self._folder, uri=f"https://localhost:{doubles.server.port}", ca_path=doubles.ca)
        config = configs.sender(
            self._folder,
            ledger={"path": self._folder / "state", **ledger},
            schedule=schedule,
            mail_from_address=SENDER,
            mail_relay=f"smtps://localhost:{doubles.relay.port}",
            mail_username=USER,
            mail_password=PASSWORD,
            relay={"ca_path": doubles.ca, "connections": connections},
        )
        self._command = [*program, "-s", "-c", str(client), "-m", str(config)]

    def __enter__(self) -> Self:
        self._doubles.server.command("queue 1")
        began = time.monotonic()
        with (self._folder / "log").open("wb") as log:
            environment = {**os.environ, "SSL_CERT_FILE": str(self._doubles.ca)}  # for a program without our own keys
            self._process = subprocess.Popen(self._command, stderr=log, env=environment)
        try:
            self._doubles.wait_for(self._number + 1)
        except BaseException:
            self._end()
            raise
        self.started_after = self._doubles.lists[0].at - began
        self.started_cpu = usage.cpu_with_children(self._process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait(STOP_SECONDS)

    def begin_profile(self) -> None:
        """Have a profiler begin, if there is one."""
        if "BENCH_PROFILE" in os.environ:
            Path(os.environ["BENCH_PROFILE"]).with_suffix(".begins").touch()

    def wait_for_lists(self, count: int) -> None:
        """Wait until it has read so many lists from now on."""
        goal = len(self._doubles.lists) + count
        while len(self._doubles.lists) < goal:
            pause()

    def cpu(self) -> float:
        """Return the CPU seconds that it has used."""
        return usage.cpu([self._process.pid])

    def cpu_of_threads(self) -> float:
        """Return the CPU seconds that its threads have used, in small steps: for one that does next to nothing."""
        return usage.cpu_of_threads(self._process.pid)

    def peak(self) -> float:
        """Return the most memory that it has had, in MB."""
        return usage.peak(self._process.pid)

    def resident(self) -> float:
        """Return the memory that it has now, in MB."""
        return usage.resident(self._process.pid)
