"""A changed configuration is read anew; a faulty one is named, and the old one goes on."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mail_sender.config.config import Config
from mail_sender.config.load import load
from mail_sender.config.watch import LOOK_EVERY, Watch
from tests.support.config_files import Files
from tests.support.configs import relay_of
from tests.support.fake_clock import FakeClock
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = VIRTUAL_TIME


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Give a folder with two good files."""
    made = Files(tmp_path)
    made.load()
    return made


def watch(files: Files, config: Config | None = None) -> "asyncio.Task[Config]":
    """Watch them."""
    now = config or load(files.client, files.sender)
    return asyncio.ensure_future(Watch(now, lambda: load(files.client, files.sender)).next_config(FakeClock()))


async def looks(count: int) -> None:
    """Let so many looks pass."""
    await asyncio.sleep(LOOK_EVERY * count + 0.1)


def edit(path: Path, old: str, new: str) -> None:
    """Change a file as an editor does: another one takes its place."""
    other = path.with_suffix(".new")
    other.write_text(path.read_text().replace(old, new))
    other.chmod(0o600)
    other.replace(path)


async def test_files_that_do_not_change_are_not_read(files: Files) -> None:
    """However long; what was only touched by a reader is not changed either."""
    watching = watch(files)
    await looks(1_000)
    files.sender.read_text()
    await looks(2)
    assert not watching.done()
    watching.cancel()


async def test_the_latest_is_what_the_files_say_now_and_the_last_good_one_where_they_have_faults(
    files: Files,
) -> None:
    """Once taken it is no change any more."""
    first = load(files.client, files.sender)
    watch_ = Watch(first, lambda: load(files.client, files.sender))
    assert watch_.latest(first) is first
    edit(files.sender, "example.com", "example.org")
    second = watch_.latest(first)
    assert second != first
    assert watch_.latest(second) is second
    files.sender.write_text("nonsense")
    assert watch_.latest(second) is second


@pytest.mark.parametrize("name", ["sender", "client"])
async def test_a_change_is_found_within_three_looks_and_said(files: Files, name: str) -> None:
    """With the configuration that it makes."""
    watching = watch(files)
    await looks(1)
    with capture_logs() as events:
        if name == "sender":
            edit(files.sender, "correct horse", "battery staple")
        else:
            edit(files.client, "idm.example.com", "idm.example.org")
        await looks(3)
    changed = watching.result()
    if name == "sender":
        password = relay_of(changed).password
        assert password is not None
        assert password.get_secret_value() == "battery staple"
    else:
        assert changed.source.uri == "https://idm.example.org"
    assert [event["event"] for event in events] == ["config_reloaded"]
    assert "battery staple" not in repr(events)


async def test_a_file_written_in_place_is_a_change(files: Files) -> None:
    """Its time tells, where its size does not."""
    watching = watch(files)
    await looks(1)
    text = files.sender.read_text()
    files.sender.write_text(text.replace("correct horse", "horse correct"))
    os.utime(files.sender, ns=(1, 1))
    await looks(3)
    assert watching.done()


async def test_a_certificate_is_watched_as_the_configs_are(files: Files, tmp_path: Path) -> None:
    """A mounted secret that is renewed: a link that leads elsewhere."""
    old, new, link = tmp_path / "old.pem", tmp_path / "new.pem", tmp_path / "ca.pem"
    for pem in (old, new):
        pem.write_text("same size")
        os.utime(pem, ns=(1, 1))
    link.symlink_to(old)
    config = files.load()
    watching = watch(files, replace(config, files=(*config.files, link)))
    await looks(2)
    assert not watching.done()
    link.unlink()
    link.symlink_to(new)
    await looks(3)
    assert watching.done()


async def test_a_file_that_is_still_being_written_is_waited_for(files: Files) -> None:
    """Half a file is no fault: it is read when it has looked the same twice."""
    watching = watch(files)
    await looks(1)
    text = files.sender.read_text()
    with capture_logs() as events:
        for part in range(10):
            files.sender.write_text(text[: 40 + part])
            await asyncio.sleep(LOOK_EVERY)
        files.sender.write_text(text.replace("correct horse", "horse correct"))
        await looks(3)
    assert watching.done()
    assert [event["event"] for event in events] == ["config_reloaded"]


async def test_a_faulty_change_is_said_once_and_mended_at_the_next(files: Files) -> None:
    """The old configuration goes on; a second faulty change is said, too, and no secret shows."""
    watching = watch(files)
    await looks(1)
    with capture_logs() as events:
        edit(files.sender, "mail_relay", "mail_rely")
        await looks(10)
        assert not watching.done()
        assert [event["event"] for event in events] == ["config_rejected"]
        assert "mail_rely" in events[0]["message"]
        edit(files.sender, "mail_rely", "mail_relai")
        await looks(10)
        assert len(events) == 2
        edit(files.sender, "mail_relai", "mail_relay")
        await looks(3)
    assert watching.done()
    assert [event["event"] for event in events] == ["config_rejected", "config_rejected", "config_reloaded"]
    assert "correct horse" not in repr(events)


async def test_a_file_that_is_gone_is_a_faulty_change(files: Files) -> None:
    """As between the two steps of a careless copy; when it is back, it is read."""
    watching = watch(files)
    await looks(1)
    text = files.sender.read_text()
    with capture_logs() as events:
        files.sender.unlink()
        await looks(5)
        assert not watching.done()
        files.sender.write_text(text)
        files.sender.chmod(0o600)
        await looks(3)
    assert watching.done()
    assert [event["event"] for event in events] == ["config_rejected", "config_reloaded"]


async def test_a_reading_that_breaks_is_said_and_the_sender_goes_on(files: Files) -> None:
    """Whatever breaks in it: the configuration of before is still good."""

    def broken() -> Config:
        raise RecursionError("secrets may stand here")

    watching = asyncio.ensure_future(Watch(load(files.client, files.sender), broken).next_config(FakeClock()))
    await looks(1)
    with capture_logs() as events:
        edit(files.sender, "correct horse", "horse correct")
        await looks(5)
    assert not watching.done()
    assert [event["message"] for event in events] == ["cannot be read (RecursionError); going on with the one before"]
    watching.cancel()


async def test_an_editors_swap_file_is_no_change_of_a_folder_and_a_new_template_is(
    files: Files, tmp_path: Path
) -> None:
    """What lies there for others is left out, as where templates are read."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "_base.txt.j2").write_text("x")
    config = replace(load(files.client, files.sender), files=(folder, folder / "_base.txt.j2"))
    watching = watch(files, config)
    await looks(1)
    (folder / "._base.txt.j2.swp").write_text("x")
    (folder / ".git").mkdir()
    await looks(5)
    assert not watching.done()
    (folder / "_base.html.j2").write_text("x")
    await looks(4)
    assert watching.done()
