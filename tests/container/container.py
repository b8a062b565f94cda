"""The built image and a working container of it, for tests: what an engine would do, by scripts/buildah.sh.

With chroot isolation a container shares the machine's network and its process ids, so that a stub on the machine is
`localhost` in the container and a signal can be sent to the very program that an engine would signal.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from tests.support.stub import Stub

CLONE = Path(__file__).parents[2]
BUILDAH = str(CLONE / "scripts/buildah.sh")
BUILD = str(CLONE / "scripts/build-image.sh")
TAG = "localhost/mail-sender-test"
UID = 10001


class Container:
    """A working container of the image `TAG`, with its declared user, environment and volumes."""

    def __init__(self) -> None:
        self.declared: dict[str, Any] = json.loads(_buildah("inspect", "--type", "image", TAG))["OCIv1"]["config"]
        self._name = _buildah("from", "--pull-never", TAG).strip()

    def remove(self) -> None:
        """Remove the container, not the image."""
        _buildah("rm", self._name)

    def command(self, *program: str, config: Path | None = None) -> list[str]:
        """The command that runs a program inside, with a folder mounted at /data/kanidm."""
        mount = ["--volume", f"{config}:/data/kanidm:ro"] if config else []
        return [BUILDAH, "run", *mount, self._name, "--", *program]

    def output(self, *program: str) -> str:
        """What a program inside prints; AssertionError with its errors unless it ends with 0.

        It goes through a file: of a program that ends at once, `buildah run` has passed on nothing, now and then.
        """
        with TemporaryDirectory() as folder:
            said = Path(folder, "output")
            said.touch()
            said.chmod(0o666)
            into_file = ["sh", "-c", 'exec "$@" >/said', "sh", *program]
            _output([BUILDAH, "run", "--volume", f"{said}:/said", self._name, "--", *into_file])
            return said.read_text()

    def mail_sender(self, *arguments: str, config: Path) -> list[str]:
        """The command that starts the image's entry point, as an engine would."""
        return self.command(*self.declared["Entrypoint"], *arguments, config=config)


class Running:
    """The image's entry point as a running program, known by its own process id."""

    def __init__(self, container: Container, config: Path) -> None:
        announced = ["sh", "-c", 'echo $$; exec "$@"', "sh", *container.declared["Entrypoint"]]
        self._process = subprocess.Popen(
            container.command(*announced, config=config), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout
        self.pid = int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.runs():
            with suppress(ProcessLookupError):  # it may end by itself this very moment
                os.kill(self.pid, signal.SIGKILL)
        self._process.communicate()

    def runs(self) -> bool:
        """Whether the program has not ended."""
        return self._process.poll() is None

    def ended(self, within: float) -> tuple[int, str]:
        """Wait for the end; return exit code and what was printed. Raises TimeoutExpired after `within` seconds."""
        printed, _ = self._process.communicate(timeout=within)
        return self._process.returncode, printed

    def stop(self, within: float) -> tuple[int, str]:
        """Send SIGTERM, then as `ended`."""
        os.kill(self.pid, signal.SIGTERM)
        return self.ended(within)


def build() -> None:
    """Fetch base and wheels, then build where there is no network: in a namespace that holds no interface."""
    subprocess.run([BUILD, "--fetch"], check=True)
    _output(["unshare", "--net", BUILD, TAG])


def forget_what_was_fetched() -> None:
    """Remove every image and wheel."""
    _buildah("rm", "--all")
    _buildah("rmi", "--all", "--force")
    shutil.rmtree(CLONE / "wheelhouse", ignore_errors=True)


def config_folder(stub: Stub, folder: Path) -> Path:
    """What belongs into /data/kanidm: the stub's files, readable by the container's user alone."""
    folder.mkdir(mode=0o700)
    for source in (stub.client_config, stub.sender_config, stub.ca):
        copy = folder / source.name
        # The stub's state folder is left out: a container has its own.
        text = source.read_text().partition("\n[ledger]\n")[0]
        copy.write_text(text.replace(str(stub.dir), "/data/kanidm") + "\n")
        copy.chmod(0o400)
        shutil.chown(copy, UID, UID)
    shutil.chown(folder, UID, UID)
    return folder


def _buildah(*arguments: str) -> str:
    return _output([BUILDAH, *arguments])


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout
