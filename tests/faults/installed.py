"""The installed command on a rig: with configuration files of its own, a lock, and the real clock."""

from pathlib import Path

from tests.faults.rig import Rig
from tests.faults.rig_place import PASSWORD, USERNAME
from tests.support import configs


def flags(rig: Rig, state: Path) -> list[str | Path]:
    """Write the command's two files, with a state folder, and return the flags that name them; it polls each second."""
    rig.dots = None  # what a process does that is not ours, nobody notes
    sender = configs.sender(
        rig.folder,
        token=rig.api.token,
        mail_relay=f"smtps://localhost:{rig.relay.port}",
        mail_username=USERNAME,
        mail_password=PASSWORD,
        schedule="* * * * * *",
        relay={"ca_path": rig.certificates.ca},
        ledger={"path": state, **_database(rig.place.database)},
    )
    return ["-s", "-c", configs.client(rig.folder, uri=rig.place.api), "-m", sender]


def _database(of: str | None) -> dict[str, str]:
    """Return the key for a ledger in a database; the path is still where the command's socket lies."""
    return {} if of is None else {"url": of}


def command_line(pid: int) -> bytes:
    """Return what everybody on the machine can read of how a process was started."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()
