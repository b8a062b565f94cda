"""Another process reads the configuration, and what arrives is what the files make."""

import ctypes
import os
import pickle
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mail_sender.config import child
from mail_sender.config import load as reading
from mail_sender.config.config import Config
from mail_sender.errors import ConfigError
from mail_sender.names.secret import Secret
from mail_sender.relay.config import FolderConfig
from mail_sender.sender.schedule import Schedule
from mail_sender.templating import process
from mail_sender.templating.template_set import TemplateSet
from tests.support.config_files import Files

# A worker of pytest-xdist has threads, which Python 3.12 warns of; a sender has none yet.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Give two good files, with an override of a template."""
    made = Files(tmp_path)
    (tmp_path / "templates/test_message_v1").mkdir(parents=True)
    (tmp_path / "templates/test_message_v1/body.txt.j2").write_text("Hello")
    made.load(**{"templates.override_path": f'"{tmp_path / "templates"}"'})
    return made


def plain(value: Any) -> Any:
    """Return a configuration as one that can be compared: each secret by its text, nothing that is only kept."""
    if isinstance(value, Secret):
        return "secret", value.get_secret_value()
    if isinstance(value, TemplateSet):
        return value.ours, value.theirs, sorted(value.wordings)
    if isinstance(value, Schedule):
        return type(value)
    if is_dataclass(value):
        return type(value), [plain(getattr(value, one.name)) for one in fields(value) if one.compare]
    if isinstance(value, tuple | frozenset):
        return sorted(map(repr, map(plain, value)))
    return value


def test_the_configuration_is_what_the_files_make(files: Files) -> None:
    """By a process that is forked, and by a new one, as after a change."""
    expected = plain(reading.load(files.client, files.sender))
    asked = (files.client, files.sender, None)
    for found in (child._forked(asked, None), child._begun(asked, reading.load(*asked))):
        config = pickle.loads(found)  # noqa: S301 - made a moment ago
        assert isinstance(config, Config)
        assert plain(config) == expected


def test_faults_are_those_that_the_files_have(files: Files) -> None:
    """With the files that they name, which are watched, too."""
    files.sender.write_text(f"{files.sender.read_text()}\n[retry]\nmessage_retries = 1000\n")
    asked = (files.client, files.sender, None)
    with pytest.raises(ConfigError) as expected:
        reading.load(*asked)
    for ask in (child._forked, child._begun):
        with pytest.raises(ConfigError) as found:
            child._read(ask, asked, None)
        assert (str(found.value), found.value.files) == (str(expected.value), expected.value.files)
        assert found.value.exit_code == expected.value.exit_code


def test_the_kind_of_relay_cannot_change(files: Files, tmp_path: Path) -> None:
    """Whoever reads anew is told what is in use."""
    asked = (files.client, files.sender, None)
    before = replace(reading.load(*asked), relay=FolderConfig(tmp_path))
    with pytest.raises(ConfigError, match="cannot change while mail-sender runs"):
        child.load_anew(asked, before)


def test_without_another_process_this_one_reads(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no room for one, or it is ended."""

    def refused(*_: object, **__: object) -> int:
        raise BlockingIOError

    asked = (files.client, files.sender, None)
    expected = plain(reading.load(*asked))
    for name in ("os.fork", "subprocess.run"):
        monkeypatch.setattr(name, refused)
    assert plain(child.load(asked)) == expected
    assert plain(child.load_anew(asked, reading.load(*asked))) == expected


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no pickle",
        b"cmail_sender.config.config\nNoSuchClass\n.",
        b"cmail_sender.no_such_module\nConfig\n.",
        b"N.",
    ],
)
def test_an_answer_that_is_none_is_not_used(files: Files, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    """The other process was ended, or it is of a version that was installed meanwhile."""
    asked = (files.client, files.sender, None)
    monkeypatch.setattr(child, "_forked", lambda *_: answer)
    assert plain(child.load(asked)) == plain(reading.load(*asked))


def own_children() -> set[str]:
    """Return the processes whose parent this one is, also those that have ended and are not waited for."""
    return {
        number for task in Path("/proc/self/task").iterdir() for number in (task / "children").read_text().split()
    }


def test_a_process_that_was_forked_is_waited_for(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is left behind, and no pipe; nor is the process that tried the templates, whose parent is gone."""
    process.end()
    prctl = ctypes.CDLL(None).prctl
    prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans become ours, as those of process 1 do
    children: list[int] = []
    fork = os.fork

    def noted() -> int:
        children.append(fork())
        return children[-1]

    monkeypatch.setattr("os.fork", noted)
    before, others = len([*Path("/proc/self/fd").iterdir()]), own_children()
    child.load((files.client, files.sender, None))
    assert len([*Path("/proc/self/fd").iterdir()]) == before
    assert [Path(f"/proc/{number}").exists() for number in children] == [False]
    prctl(36, 0, 0, 0, 0)
    assert own_children() == others
