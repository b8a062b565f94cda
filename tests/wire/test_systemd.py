"""What goes to `$NOTIFY_SOCKET`, datagram by datagram (sd_notify(3))."""

import os
import re
import time
from pathlib import Path

import pytest

from mail_sender.observe.sd_notify import Systemd
from tests.support.service_manager import ServiceManager, abstract_name


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_each_notification_is_one_datagram(tmp_path: Path, kind: str) -> None:
    """To a path, or to a name in the abstract namespace; a status has one line, whatever is in it."""
    with ServiceManager.listening(tmp_path / "notify" if kind == "path" else abstract_name()) as manager:
        systemd = Systemd(manager.environment())
        systemd.extend(30.0)
        systemd.ready()
        assert systemd.status("all well\nREADY=0\n  3 queued")
        systemd.beat()
        systemd.stopping(8.5)
        assert manager.within(0) == [
            "EXTEND_TIMEOUT_USEC=30000000",
            "READY=1",
            "STATUS=all well READY=0 3 queued",
            "WATCHDOG=1",
            "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=8500000",
        ]


def test_a_reload_is_announced_with_its_time_and_ends_with_ready(tmp_path: Path) -> None:
    """So it is where it fails; during the start it is none, since READY=1 would end the start too soon."""
    with ServiceManager.listening(tmp_path / "notify") as manager:
        systemd = Systemd(manager.environment())
        with systemd.reloading():
            pass
        assert manager.within(0) == []
        systemd.ready()
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        with pytest.raises(KeyError), systemd.reloading():
            raise KeyError
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert manager.next() == "READY=1"
        found = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", manager.next())
        assert found
        assert before <= int(found[1]) <= after
        assert manager.next() == "READY=1"


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1234", "/nonexistent/notify", "@" + "x" * 300, "/x\0y"])
def test_without_anybody_who_listens_nothing_is_raised(address: str) -> None:
    """A service manager that is not there, or a variable that nobody can use, stops no mail."""
    systemd = Systemd({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    assert systemd.is_there == address.startswith(("/", "@"))
    systemd.ready()
    systemd.beat()
    assert not systemd.is_ready
    assert not systemd.status("all well")


def test_a_manager_that_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    """Its queue is full: the notification is dropped, and whoever sent it knows."""
    with ServiceManager.listening(tmp_path / "notify") as manager:
        systemd = Systemd(manager.environment())
        count = 0
        while systemd.status(f"{count:>200}"):
            count += 1
        systemd.ready()
        assert not systemd.is_ready
        assert len(manager.within(0)) == count
        systemd.ready()
        assert systemd.is_ready


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "me"}, None),
    ],
)
def test_the_watchdog_counts_where_it_is_meant_for_this_process(
    variables: dict[str, str], seconds: float | None
) -> None:
    """The variables are inherited by whatever a service starts."""
    assert Systemd({"NOTIFY_SOCKET": "/run/notify"} | variables).watchdog_seconds == seconds
    assert Systemd(variables).watchdog_seconds is None
