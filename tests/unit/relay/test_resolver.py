"""No name look-up, however long it hangs, keeps the loop from ending."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mail_sender.relay.resolver import ResolvingLoop

ADDRESS = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 25))]
DEADLINE = 5.0


class Resolver:
    """A `getaddrinfo` that answers when it is told to."""

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.asked = threading.Semaphore(0)
        self.questions: list[Any] = []
        self.error: Exception | None = None

    def __call__(self, host: str, *_: object) -> list[Any]:
        """Wait for `answer`."""
        self.questions.append(host)
        self.asked.release()
        self.answer.wait()
        if self.error:
            raise self.error
        return ADDRESS


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """Put a resolver that hangs in the place of the system's, and end its threads afterwards."""
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.answer.set()
    end_of_threads()


def end_of_threads() -> None:
    """Wait until no resolver's thread is left."""
    for thread in threading.enumerate():
        if thread.name == "resolver":
            thread.join(DEADLINE)
            assert not thread.is_alive()


def run(work: Any) -> Any:
    """Run a coroutine on such a loop; it must end within the deadline."""
    started = time.monotonic()
    with asyncio.Runner(loop_factory=ResolvingLoop) as runner:
        result = runner.run(work)
    assert time.monotonic() - started < DEADLINE
    return result


async def ask(host: str = "relay.example.com") -> Any:
    """Look a name up as asyncio's own connections do."""
    return await asyncio.get_running_loop().getaddrinfo(host, 25, type=socket.SOCK_STREAM)


def test_an_answer_arrives() -> None:
    """The real resolver, asked for a literal."""
    found = run(asyncio.wait_for(ask("127.0.0.1"), DEADLINE))
    assert found[0][4] == ("127.0.0.1", 25)


def test_a_hanging_look_up_does_not_keep_the_loop_from_ending(resolver: Resolver) -> None:
    """Asyncio's own connections give up at the asker's deadline; the loop ends while the resolver still hangs."""

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.get_running_loop().create_connection(asyncio.Protocol, "relay.example.com", 25)

    run(give_up())
    assert not resolver.answer.is_set()
    assert resolver.questions == ["relay.example.com"]


def test_an_answer_after_the_end_of_the_loop_is_dropped(resolver: Resolver) -> None:
    """A thread that comes back late finds nobody, and says nothing."""

    async def leave() -> None:
        task = asyncio.ensure_future(ask())
        await asyncio.sleep(0)
        task.cancel()

    run(leave())
    assert resolver.asked.acquire(timeout=DEADLINE)
    resolver.answer.set()
    end_of_threads()


def test_concurrent_look_ups_of_a_name_share_a_thread(resolver: Resolver) -> None:
    """Ten askers, one question; each gets the answer, also where one of them has gone."""

    async def together() -> list[Any]:
        tasks = [asyncio.ensure_future(ask()) for _ in range(10)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        resolver.answer.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *rest = run(together())
    assert isinstance(first, asyncio.CancelledError)
    assert rest == [ADDRESS] * 9
    assert resolver.questions == ["relay.example.com"]


def test_different_names_do_not_wait_for_each_other(resolver: Resolver) -> None:
    """Each name has a thread of its own."""

    async def together() -> None:
        tasks = [asyncio.ensure_future(ask(host)) for host in ("a.example", "b.example")]
        await asyncio.sleep(0)
        for _ in tasks:
            assert resolver.asked.acquire(timeout=DEADLINE)
        resolver.answer.set()
        await asyncio.gather(*tasks)

    run(together())
    assert sorted(resolver.questions) == ["a.example", "b.example"]


def test_a_name_is_asked_again_after_its_answer(resolver: Resolver) -> None:
    """Only a look-up in flight is shared: nothing is remembered."""
    resolver.answer.set()

    async def twice() -> None:
        for _ in range(2):
            assert await ask() == ADDRESS

    run(twice())
    assert len(resolver.questions) == 2


@pytest.mark.parametrize(
    "error", [socket.gaierror(socket.EAI_NONAME, "no such name"), UnicodeError("label too long")]
)
def test_an_error_reaches_every_asker(resolver: Resolver, error: Exception) -> None:
    """Whatever the resolver raises, each of those who wait for it gets it."""
    resolver.error = error

    async def together() -> list[Any]:
        tasks = [asyncio.ensure_future(ask()) for _ in range(3)]
        await asyncio.sleep(0)
        resolver.answer.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert run(together()) == [error] * 3


def test_an_error_that_nobody_waits_for_any_more_is_not_reported(resolver: Resolver) -> None:
    """No "exception was never retrieved" on standard error when the asker has gone."""
    resolver.error = OSError("late")
    reports: list[Any] = []

    async def leave() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ask()
        resolver.answer.set()
        await asyncio.to_thread(end_of_threads)
        resolver.error = None
        gc.collect()  # asyncio complains when it collects the future

    run(leave())
    assert reports == []
