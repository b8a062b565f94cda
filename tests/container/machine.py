"""A machine that systemd runs, for tests of units: this machine's own files under a systemd of their own, in a container.

The root is an overlay: below it the machine as it is, above it a tmpfs that takes every change. What the machine has set up
by itself is hidden (its units, its logs, what is temporary). mail-sender is installed as the README says, into /opt, from
this clone and its lock, with the machine's own python3. The network is the machine's, so that a stub is `localhost` there.
"""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.container.image import CLONE, PODMAN, new_name

_SECONDS = 60.0
_SCRIPT = """
set -eu
space=$1 files=$2 clone=$3 name=$4 user=$5
mount -t tmpfs machine "$space"
mkdir "$space/upper" "$space/work" "$space/root" "$space/opt"
/usr/bin/python3 - "$space/upper" <<'END'
import os, sys
for hidden, mode in (("tmp", 0o1777), ("run", 0o755), ("var/log", 0o755), ("var/tmp", 0o1777), ("etc/systemd/system", 0o755)):
    folder = os.path.join(sys.argv[1], hidden)
    os.makedirs(folder)
    os.chmod(folder, mode)
    os.setxattr(folder, "trusted.overlay.opaque", b"y")
END
mount -t overlay machine -o "lowerdir=/,upperdir=$space/upper,workdir=$space/work" "$space/root"
mount --bind "$space/opt" /opt
"$clone/scripts/uv.sh" venv --quiet --python /usr/bin/python3 /opt/mail-sender
"$clone/scripts/uv.sh" pip install --quiet --no-deps --python /opt/mail-sender -r "$clone/requirements/runtime.lock" "$clone"
mount --bind "$space/opt" "$space/root/opt"
cp -a "$files/." "$space/root/"
if [ -n "$user" ]; then
    useradd --root "$space/root" --system --no-create-home --shell /usr/sbin/nologin "$user"
    chroot "$space/root" chown "$user" /etc/kanidm/mail-sender
fi
exec "$clone/scripts/podman.sh" run --rm --name "$name" --privileged --systemd=always --network host \\
    --rootfs "$space/root" /lib/systemd/systemd --unit=basic.target --log-target=console
"""


class Machine:
    """A running machine; `files` is a folder whose tree is copied over its root, `user` one that is made."""

    def __init__(self, space: Path, files: Path, user: str = "") -> None:
        self.name = new_name()
        space.mkdir()
        command = ["unshare", "--mount", "sh", "-c", _SCRIPT, "sh", space, files, CLONE, self.name, user]
        self._process = subprocess.Popen(
            [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def __enter__(self) -> Self:
        # It waits by itself, as soon as systemd answers.
        self.until(
            lambda: self.run("systemctl", "is-system-running", "--wait").stdout.strip() in {"running", "degraded"}
        )
        # As systemd does by itself, unless it is in a container: what it mounts for a service comes back to the others.
        self.output("mount", "--make-rshared", "/")
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([PODMAN, "rm", "--force", "--time", "0", self.name], capture_output=True, check=False)
        self._process.communicate()

    def until(self, is_so: Callable[[], bool]) -> None:
        """Look again and again, as fast as looking goes."""
        deadline = time.monotonic() + _SECONDS
        while not is_so():
            assert self._process.poll() is None, f"the machine ended: {self._process.communicate()[0]}"
            assert time.monotonic() < deadline, f"not so after {_SECONDS:.0f} s"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on it as root."""
        where = ["nsenter", "--mount", f"--target={self._process.pid}"]  # there its root is mounted
        return subprocess.run(
            [*where, PODMAN, "exec", self.name, *command], capture_output=True, text=True, check=False
        )

    def output(self, *command: str) -> str:
        """What a command prints; AssertionError unless it ends with 0."""
        done = self.run(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def shown(self, *properties: str) -> dict[str, str]:
        """What systemd says of the service mail-sender."""
        lines = self.output("systemctl", "show", f"--property={','.join(properties)}", "mail-sender").splitlines()
        return dict(line.split("=", 1) for line in lines)
