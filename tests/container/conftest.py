"""The image, built once for all tests of this folder, and what its containers talk to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.image import Image, build, config_folder
from tests.support.stub import Stub


@pytest.fixture(scope="session")
def image() -> Image:
    """A freshly built image."""
    build()
    return Image()


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    """An identity server and relay on this machine, which is the container's localhost too."""
    with Stub(tmp_path / "stub") as running:
        yield running


@pytest.fixture
def config(stub: Stub, tmp_path: Path) -> Path:
    """The folder to mount at /data/kanidm."""
    return config_folder(stub, tmp_path / "kanidm")
