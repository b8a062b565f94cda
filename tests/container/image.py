"""The built image and its containers, for tests: real podman and runc, as scripts/podman.sh starts them.

Unless a test says otherwise, a container gets the least that an engine can give: a root that is read-only and has no
tmpfs, no capability, no new privileges, the engine's seccomp filter, and a uid that the image does not know, with gid 0.
It shares the machine's network, so that a stub on the machine is `localhost` inside.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from tests.support.stub import Stub

CLONE = Path(__file__).parents[2]
BUILDAH = str(CLONE / "scripts/buildah.sh")
BUILD = str(CLONE / "scripts/build-image.sh")
PODMAN = str(CLONE / "scripts/podman.sh")
TAG = "localhost/mail-sender-test"
STATE = "/var/lib/mail-sender"
CONFIG = "/data/kanidm"
UID = 4711
CONFINED = (
    *("--network", "host", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all"),
    *("--security-opt", "no-new-privileges", "--user", f"{UID}:0"),
)
_names = itertools.count(1)


class Image:
    """The image of a tag."""

    def __init__(self, tag: str = TAG) -> None:
        self.tag = tag

    @cached_property
    def described(self) -> dict[str, Any]:
        """What podman says of it."""
        (found,) = json.loads(podman("image", "inspect", self.tag))
        return dict(found)

    @property
    def declared(self) -> dict[str, Any]:
        """What it asks of an engine: user, environment, volumes and so on."""
        return dict(self.described["Config"])

    def command(self, *arguments: str, options: Sequence[str] = CONFINED) -> list[str]:
        """The command that runs its entry point with these arguments in a new container."""
        return [PODMAN, "run", "--rm", *options, self.tag, *arguments]

    def output(self, *program: str, options: Sequence[str] = CONFINED) -> str:
        """What another program inside prints; AssertionError with its errors unless it ends with 0."""
        first, *rest = program
        return said(self.command(*rest, options=[*options, "--entrypoint", json.dumps([first])]))


class Running:
    """The image's entry point, running in a container; leave it, and it is ended and removed, with its volumes."""

    def __init__(self, image: Image, *arguments: str, options: Sequence[str] = CONFINED) -> None:
        self.name = new_name()
        self._process = subprocess.Popen(
            image.command(*arguments, options=["--name", self.name, *options]),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.runs():
            subprocess.run([PODMAN, "rm", "--force", "--time", "0", self.name], capture_output=True, check=False)
        self._process.communicate()

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def exec(self, *program: str) -> subprocess.CompletedProcess[str]:
        """Run another program beside it, as `podman exec` does."""
        return subprocess.run([PODMAN, "exec", self.name, *program], capture_output=True, text=True, check=False)

    def signal(self, name: str) -> None:
        """Send a signal to the container's first process."""
        podman("kill", "--signal", name, self.name)

    def ended(self, within: float) -> tuple[int, str]:
        """Wait for the end; return exit code and what was printed. Raises TimeoutExpired after `within` seconds."""
        printed, _ = self._process.communicate(timeout=within)
        return self._process.returncode, printed

    def until(self, is_so: Callable[[], bool], within: float = 30) -> None:
        """Look again and again, as fast as looking goes."""
        deadline = time.monotonic() + within
        while not is_so():
            assert self.runs(), f"the sender ended: {self.ended(within)}"
            assert time.monotonic() < deadline, f"not so after {within:g} s"


class Volume:
    """A named volume, which gets owner and mode of the image's folder."""

    def __init__(self) -> None:
        self.name = new_name()

    def __enter__(self) -> Self:
        podman("volume", "create", self.name)
        return self

    def __exit__(self, *_: object) -> None:
        podman("volume", "rm", "--force", self.name)

    def at(self, path: str = STATE) -> list[str]:
        """The option that mounts it."""
        return ["--volume", f"{self.name}:{path}"]


def new_name() -> str:
    """Return a name that no other container or volume of this clone has."""
    return f"test-{os.getpid()}-{next(_names)}"


def build(tag: str = TAG, clone: Path = CLONE, umask: int = 0o022) -> None:
    """Fetch base and wheels, then build where there is no network: in a namespace that holds no interface."""
    script = clone / "scripts/build-image.sh"
    said([str(script), "--fetch"])
    said(["unshare", "--net", str(script), tag], umask)


def forget_what_was_fetched() -> None:
    """Remove every image and wheel."""
    said([BUILDAH, "rm", "--all"])
    said([BUILDAH, "rmi", "--all", "--force"])
    shutil.rmtree(CLONE / "wheelhouse", ignore_errors=True)


def mounted(folder: Path, path: str = CONFIG) -> list[str]:
    """Return the option that mounts a folder of the machine, read-only."""
    return ["--volume", f"{folder}:{path}:ro"]


def config_folder(stub: Stub, folder: Path, uid: int = UID) -> Path:
    """What belongs into /data/kanidm: the stub's files, readable by the container's user alone."""
    folder.mkdir(mode=0o700)
    for source in (stub.client_config, stub.sender_config, stub.ca):
        copy = folder / source.name
        # The stub's state folder is left out: a container has its own.
        text = source.read_text().partition("\n[ledger]\n")[0]
        copy.write_text(text.replace(str(stub.dir), CONFIG) + "\n")
        copy.chmod(0o400)
        shutil.chown(copy, uid, uid)
    shutil.chown(folder, uid, uid)
    return folder


def podman(*arguments: str) -> str:
    """What podman prints; AssertionError with its errors unless it ends with 0."""
    return said([PODMAN, *arguments])


def said(command: Sequence[str], umask: int = -1) -> str:
    """What a command prints; AssertionError with its errors unless it ends with 0."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, umask=umask)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout
