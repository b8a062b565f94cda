#!/usr/bin/python3
"""Stands in for systemctl in a container, where no systemd runs: starts and stops what a unit's file says.

As with systemd, a start ends when the program has said READY=1; user, umask and state folder are the unit's.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

SECONDS = 60
UNITS = Path("/etc/systemd/system")
RUNNING = Path("/run/unit.pid")
NOTIFIED = "/run/notify"


def start(name: str) -> None:
    """Start a unit, and wait until it is ready."""
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # as the documentation of configparser has it
    unit.read(UNITS / f"{name}.service")
    service = unit["Service"]
    state = Path("/var/lib", service["StateDirectory"])
    subprocess.run(["install", "-d", "-m", "0700", "-o", service["User"], state], check=True)
    Path(NOTIFIED).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(NOTIFIED)
        Path(NOTIFIED).chmod(0o666)
        notified.settimeout(SECONDS)
        with Path("/var/log/unit.log").open("ab") as log:
            started = subprocess.Popen(
                service["ExecStart"].split(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": os.defpath, "NOTIFY_SOCKET": NOTIFIED, "STATE_DIRECTORY": str(state)},
                user=service["User"],
                group=service["Group"],
                extra_groups=[],
                umask=int(service["UMask"], 8),
                start_new_session=True,
            )
        RUNNING.write_text(str(started.pid))
        while b"READY=1" not in notified.recv(65536):
            pass


def stop() -> None:
    """Stop what was started, and wait until it has ended."""
    pid = int(RUNNING.read_text())
    ended = os.pidfd_open(pid)
    signal.pidfd_send_signal(ended, signal.SIGTERM)
    select.select([ended], [], [], SECONDS)
    os.close(ended)
    RUNNING.unlink()


def main(verb: str, *arguments: str) -> None:
    """Do what `systemctl` would do."""
    if verb in {"stop", "restart"}:
        stop()
    if verb in {"start", "restart", "enable"}:
        start(arguments[-1])


if __name__ == "__main__":
    main(*sys.argv[1:])
