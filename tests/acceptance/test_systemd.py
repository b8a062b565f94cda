"""Under a service manager: what systemd hears from the installed program, from its start to its end."""

import signal
import sys
from pathlib import Path

from tests.support import configs
from tests.support.sender import Sender
from tests.support.service_manager import ServiceManager, abstract_name
from tests.support.stub import Stub

WATCHDOG = 1.0
"""Seconds, of systemd's; it is beaten at half of it."""


def test_systemd_hears_of_start_reload_and_end_and_that_the_loops_turn(stub: Stub, tmp_path: Path) -> None:
    """Ready after the first poll; a reload that is done, or refused, is over; the end is announced."""
    configs.change(stub.sender_config, ledger={"path": tmp_path / "state"})
    right = stub.sender_config.read_text()
    with ServiceManager.listening(abstract_name()) as manager:
        env = {**manager.environment(WATCHDOG)}
        with Sender(stub.client_config, stub.sender_config, "run", env=env) as sender:
            manager.wait_for("READY=1")
            assert sender.events("server_ready")
            assert manager.once("STATUS=all well;") == "STATUS=all well; nothing in the ledger"
            for text, event, status in (
                (right, "config_unchanged", None),
                ("nonsense", "config_rejected", "STATUS=the changed configuration has faults"),
                (right, "reloaded", "STATUS=all well"),
            ):
                if text != stub.sender_config.read_text():
                    stub.sender_config.write_text(text)
                sender.signal(signal.SIGHUP)
                assert "\nMONOTONIC_USEC=" in manager.wait_for("RELOADING=1")
                manager.wait_for("READY=1")
                sender.wait_for(event)
                if status:
                    manager.wait_for(status)
            manager.wait_for("WATCHDOG=1")
            with Sender(stub.client_config, stub.sender_config, "run", env=env) as second:
                second.wait_for("standing_by")
                assert f"process {sender.process.pid} on" in manager.wait_for("STATUS=stands by: ")
                assert second.stop() == 0
            assert sender.stop() == 0
            assert manager.within(0)[-1].startswith("STOPPING=1\n")


HANGS = """
import asyncio
from mail_sender.sender import heartbeat, poll

async def hang(self, *_):
    self._heartbeat.within(0.1)
    await asyncio.sleep(3600)

heartbeat.TOLERANCE = 0.5
poll.Poller._list = hang
from mail_sender.__main__ import main
main()
"""
"""The program, with a loop that hangs for longer than it said."""


def test_the_watchdog_hears_nothing_while_a_loop_hangs(stub: Stub, tmp_path: Path) -> None:
    """Then systemd ends the process and starts it anew; the status line names the loop before that."""
    with ServiceManager.listening(tmp_path / "notify") as manager:
        env, program = manager.environment(WATCHDOG), [sys.executable, "-c", HANGS]
        with Sender(stub.client_config, stub.sender_config, env=env, program=program) as sender:
            manager.wait_for("WATCHDOG=1")
            manager.once("STATUS=fault: loop (poll) since ")
            assert [line for line in manager.within(2 * WATCHDOG) if not line.startswith("STATUS=")] == []
            assert sender.stop() == 0
