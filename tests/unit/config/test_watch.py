"""A changed configuration is read again; a faulty one is logged, and the previous one goes on."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from structlog.testing import capture_logs

from mail_sender.clock import SteadyClock
from mail_sender.config import watch as watching
from mail_sender.config.config import Config
from mail_sender.config.load import load
from mail_sender.config.watch import Watch
from mail_sender.names.secret import Secret
from tests.support.config_files import Files
from tests.support.configs import relay_of

DEADLINE = 20.0
"""Seconds within which a change must be found; it is no measure of speed."""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Give a folder with two good files."""
    made = Files(tmp_path)
    made.load()
    return made


@pytest.fixture(autouse=True)
def compared(monkeypatch: pytest.MonkeyPatch) -> "asyncio.Queue[None]":
    """Shorten the times that are waited for; give a queue that gets an entry whenever the files are compared."""
    comparisons: asyncio.Queue[None] = asyncio.Queue()
    compare = watching._states

    def counted(paths: Iterable[Path]) -> watching._States:
        comparisons.put_nowait(None)
        return compare(paths)

    monkeypatch.setattr(watching, "_states", counted)
    monkeypatch.setattr(watching, "SETTLE", 0.2)
    monkeypatch.setattr(watching, "COMPARE_EVERY", 0.1)
    return comparisons


class Watched:
    """A watch that runs and finds one configuration; `reads` counts how often it read the files."""

    def __init__(
        self,
        files: Files,
        config: Config | None = None,
        read: Callable[[], Config] | None = None,
        clock: SteadyClock | None = None,
    ) -> None:
        self.reads = 0
        self._read_now = read or (lambda: load(files.client, files.sender))
        self._was_read = asyncio.Event()
        self.asked = asyncio.Event()
        self._answered = asyncio.Event()
        self._watch = Watch(config or load(files.client, files.sender), self._load, self.asked, self._reading)
        self.task = asyncio.ensure_future(self._watch.next_config(clock or SteadyClock()))

    @classmethod
    async def start(cls, *arguments: Any, **more: Any) -> Self:
        """Return a watch that misses no change from now on."""
        watched = cls(*arguments, **more)
        await asyncio.sleep(0)
        return watched

    async def next(self) -> Config:
        """Return the next configuration."""
        async with asyncio.timeout(DEADLINE):
            return await self.task

    async def read(self) -> None:
        """Wait until the files are read once more."""
        async with asyncio.timeout(DEADLINE):
            await self._was_read.wait()
        self._was_read.clear()

    async def answer(self) -> None:
        """Wait until an answer was found once more, whether something had changed or not."""
        async with asyncio.timeout(DEADLINE):
            await self._answered.wait()
        self._answered.clear()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        before = self.reads
        yield
        self._answered.set()
        if self.reads > before:
            self._was_read.set()

    def _load(self) -> Config:  # in another thread
        self.reads += 1
        return self._read_now()


async def times(count: int, compared: "asyncio.Queue[None]") -> None:
    """Wait until the files were compared so often from now on."""
    while not compared.empty():
        compared.get_nowait()
    async with asyncio.timeout(DEADLINE):
        for _ in range(count):
            await compared.get()


def edit(path: Path, old: str, new: str) -> None:
    """Change a file as an editor does: another one takes its place."""
    other = path.with_suffix(".new")
    other.write_text(path.read_text().replace(old, new))
    other.chmod(0o600)
    other.replace(path)


async def test_files_that_do_not_change_are_not_read(files: Files, compared: "asyncio.Queue[None]") -> None:
    """A reader touches nothing, and another file beside them is no concern of ours."""
    watched = await Watched.start(files)
    files.sender.read_text()
    files.sender.with_name("neighbour").write_text("x")
    await times(4, compared)
    assert watched.reads == 0
    edit(files.sender, "example.com", "example.org")
    await watched.next()
    assert watched.reads == 1


async def test_who_asks_is_answered_at_once(
    files: Files, compared: "asyncio.Queue[None]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing changed: that is said. Faults: they are named, each time. Mended: it counts, without waiting for more.

    One question has one answer, also where the change was noticed before it.
    """
    monkeypatch.setattr(watching, "SETTLE", 10_000.0)
    good = files.sender.read_text()
    with capture_logs() as events:
        watched = await Watched.start(files)
        for text in (good, "nonsense", "nonsense", good.replace("example.com", "example.org")):
            if files.sender.read_text() != text:
                files.sender.write_text(text)
            await times(1, compared)
            watched.asked.set()
            await watched.answer()
            assert not watched.asked.is_set()
        assert (await watched.next()).mail.from_address.endswith("example.org")
    said = ["config_unchanged", "config_rejected", "config_rejected", "config_reloaded"]
    assert [event["event"] for event in events] == said


async def test_who_asks_while_nobody_listens_is_answered_later(files: Files) -> None:
    """A signal may come during the start, or while a new configuration takes the place of the old one."""
    with capture_logs() as events:
        watched = Watched(files)
        watched.asked.set()
        await watched.answer()
    watched.task.cancel()
    assert [event["event"] for event in events] == ["config_unchanged"]
    assert watched.reads == 0


async def test_the_latest_is_what_the_files_say_now_and_the_last_good_one_where_they_have_faults(
    files: Files,
) -> None:
    """Once taken it is no change any more."""
    first = load(files.client, files.sender)
    watch_ = Watch(first, lambda: load(files.client, files.sender), asyncio.Event())
    assert watch_.latest(first) is first
    edit(files.sender, "example.com", "example.org")
    second = watch_.latest(first)
    assert second != first
    assert watch_.latest(second) is second
    files.sender.write_text("nonsense")
    assert watch_.latest(second) is second


@pytest.mark.parametrize("name", ["sender", "client"])
async def test_a_change_is_found_and_logged(files: Files, name: str) -> None:
    """With the configuration that it makes, and without its secrets."""
    watched = await Watched.start(files)
    with capture_logs() as events:
        if name == "sender":
            edit(files.sender, "correct horse", "battery staple")
        else:
            edit(files.client, "idm.example.com", "idm.example.org")
        changed = await watched.next()
    if name == "sender":
        assert Secret("battery staple") in changed.secrets
    else:
        assert changed.source.uri == "https://idm.example.org"
    assert [event["event"] for event in events] == ["config_reloaded"]
    assert "battery staple" not in repr(events)


async def test_a_file_written_in_place_is_a_change(files: Files) -> None:
    """Its time shows it, where its size does not."""
    watched = await Watched.start(files)
    text = files.sender.read_text()
    files.sender.write_text(text.replace("correct horse", "horse correct"))
    os.utime(files.sender, ns=(1, 1))
    await watched.next()


async def test_a_certificate_is_watched_as_the_configs_are(files: Files, tmp_path: Path) -> None:
    """A mounted secret that is renewed, as Kubernetes does it: the link `..data` leads to another folder."""
    mount = tmp_path / "secret"
    for name in ("..old", "..new"):
        (mount / name).mkdir(parents=True)
        (mount / name / "ca.pem").write_text("same size")
        os.utime(mount / name / "ca.pem", ns=(1, 1))
    (mount / "..data").symlink_to("..old")
    (mount / "ca.pem").symlink_to("..data/ca.pem")
    watched = await Watched.start(files, replace(files.load(), files=(files.client, files.sender, mount / "ca.pem")))
    assert watched.reads == 0
    (mount / "..data_tmp").symlink_to("..new")
    (mount / "..data_tmp").replace(mount / "..data")
    await watched.next()


class Writing(SteadyClock):
    """A clock by which a file has another text after each wait, as long as there are any."""

    def __init__(self, path: Path, *texts: str) -> None:
        super().__init__()
        self._path = path
        self._texts = iter(texts)

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        if text := next(self._texts, ""):
            self._path.write_text(text)
        return await super().wait(event, seconds)


async def test_a_file_that_is_still_being_written_is_waited_for(files: Files) -> None:
    """Half a file is no fault: it is read when it is the same twice."""
    text = files.sender.read_text()
    halves = [text[: 40 + part] for part in range(5)]
    clock = Writing(files.sender, *halves, text.replace("correct horse", "horse correct"))
    watched = await Watched.start(files, clock=clock)
    with capture_logs() as events:
        files.sender.write_text(text[:39])
        await watched.next()
    assert [event["event"] for event in events] == ["config_reloaded"]
    assert watched.reads == 1


async def test_a_faulty_change_is_logged_once_and_mended_at_the_next(
    files: Files, compared: "asyncio.Queue[None]"
) -> None:
    """The old configuration goes on; a second faulty change is logged, too, and no secret shows."""
    watched = await Watched.start(files)
    with capture_logs() as events:
        edit(files.sender, "mail_relay", "mail_rely")
        await watched.read()
        await times(4, compared)
        assert [event["event"] for event in events] == ["config_rejected"]
        assert "mail_rely" in events[0]["message"]
        edit(files.sender, "mail_rely", "mail_relai")
        await watched.read()
        edit(files.sender, "mail_relai", "mail_relay")
        await watched.next()
    assert [event["event"] for event in events] == ["config_rejected", "config_rejected", "config_reloaded"]
    assert "correct horse" not in repr(events)


@pytest.mark.parametrize("what", ["file", "folder"])
async def test_what_is_gone_is_a_faulty_change(files: Files, tmp_path: Path, what: str) -> None:
    """A careless copy, or a volume that is unmounted for a moment: when it is back, it is read."""
    watched = await Watched.start(files)
    path, away = files.sender if what == "file" else tmp_path, tmp_path.with_name(f"{tmp_path.name}-away")
    with capture_logs() as events:
        shutil.move(path, away)
        await watched.read()
        shutil.move(away, path)
        await watched.next()
    assert [event["event"] for event in events] == ["config_rejected", "config_reloaded"]


async def test_mending_what_a_refused_configuration_names_is_noticed(files: Files, tmp_path: Path) -> None:
    """The fault is in a file that only the refused configuration names: a new folder of templates."""
    template = tmp_path / "templates/test_message_v1/body.txt.j2"
    template.parent.mkdir(parents=True)
    template.write_text("{{ nonsense")
    watched = await Watched.start(files)
    with capture_logs() as events:
        good = files.sender.read_text()
        files.sender.write_text(f'{good}\n[templates]\noverride_path = "{tmp_path / "templates"}"\n')
        await watched.read()
        template.write_text("{{ say.works }}")
        changed = await watched.next()
    assert [event["event"] for event in events] == ["config_rejected", "config_reloaded"]
    assert changed.mail.appearance.templates.theirs


@pytest.mark.parametrize("elsewhere", ["", "[retry]\nmessage_retries = 1000\n"])
@pytest.mark.parametrize(
    "key", ["relay.ca_path", "relay.client_cert_path", "brand.logo_path", "templates.override_path"]
)
async def test_every_file_that_a_refused_configuration_names_is_watched(
    files: Files, tmp_path: Path, key: str, elsewhere: str
) -> None:
    """It is not there yet, and perhaps that is not the only fault: when it comes, the files are read again."""
    watched = await Watched.start(files)
    named = tmp_path / "named"
    table, _, name = key.partition(".")
    with capture_logs():
        files.sender.write_text(f"{files.sender.read_text()}\n[{table}]\n{name} = '{named}'\n{elsewhere}")
        await watched.read()
        named.write_text("x")
        await watched.read()
    watched.task.cancel()


async def test_a_file_that_is_mended_while_it_is_read_is_noticed(
    files: Files, tmp_path: Path, pems: dict[str, Path]
) -> None:
    """The refused configuration names it for the first time, so that nobody has looked at it before."""
    named = tmp_path / "relay-ca.pem"

    def read() -> Config:
        try:
            return load(files.client, files.sender)
        finally:
            shutil.copy(pems["ca"], named)

    watched = await Watched.start(files, read=read)
    files.sender.write_text(f"{files.sender.read_text()}\n[relay]\nca_path = '{named}'\n")
    assert relay_of(await watched.next()).ca_path == named


async def test_warnings_are_no_part_of_a_refusal(files: Files) -> None:
    """What works, but is worth a second look, is not why the files were refused."""
    watched = await Watched.start(files)
    with capture_logs() as events:
        files.sender.write_text(
            f"{files.sender.read_text()}\nmail_queue_depth = 5\n[retry]\nmessage_retries = 1000\n"
        )
        await watched.read()
    assert "retry.message_retries" in events[0]["message"]
    assert "mail_queue_depth" not in events[0]["message"]
    watched.task.cancel()


async def test_a_reading_that_breaks_is_logged_and_the_sender_goes_on(
    files: Files, compared: "asyncio.Queue[None]"
) -> None:
    """Whatever breaks in it: the configuration of before is still good."""

    def broken() -> Config:
        raise RecursionError("secrets may stand here")

    watched = await Watched.start(files, read=broken)
    with capture_logs() as events:
        edit(files.sender, "correct horse", "horse correct")
        await times(5, compared)
    assert not watched.task.done()
    assert [event["message"] for event in events] == [
        "cannot be read (RecursionError); the previous configuration stays in use"
    ]
    watched.task.cancel()


async def test_an_editors_swap_file_is_no_change_of_a_folder_and_a_new_template_is(
    files: Files, tmp_path: Path, compared: "asyncio.Queue[None]"
) -> None:
    """What lies there for others is left out, as where templates are read."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "_base.txt.j2").write_text("x")
    watched = await Watched.start(files, replace(files.load(), files=(folder, folder / "_base.txt.j2")))
    (folder / "._base.txt.j2.swp").write_text("x")
    (folder / ".git").mkdir()
    await times(4, compared)
    assert watched.reads == 0
    (folder / "_base.html.j2").write_text("x")
    await watched.next()
    assert watched.reads == 1


async def test_a_path_that_cannot_even_be_looked_at_does_not_end_the_watch(files: Files) -> None:
    """A configuration that was refused may name anything: a name too long, a folder that is closed to us."""
    config = load(files.client, files.sender)
    unreachable = Path("/" + "x" * 300) / "ca.pem"
    watched = await Watched.start(files, replace(config, files=(*config.files, unreachable, Path("\0"))))
    edit(files.sender, "Example Identity", "Another Identity")
    assert (await watched.next()).mail.instance_display_name == "Another Identity"
