"""What a template may take, what is escaped, and what a name means in it."""

import asyncio
import gc
import select
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import jinja2
import pytest
from markupsafe import Markup

from mail_sender.templating import sandbox
from mail_sender.templating.filters import FILTERS
from mail_sender.templating.sandbox import Sandbox, TooMuch


def made(template: str, name: str = "x.txt.j2", **variables: Any) -> str:
    """Return what a template makes."""
    return sandbox.run(Sandbox({name: template}, FILTERS).get_template(name), variables)


TOO_MUCH = {
    "{% for one in range(10 ** 6) %}{% endfor %}": "a range", "{{ 'x' * 10 ** 9 }}": "a text",
    "{{ 10 ** 9 * 'x' }}": "a text", "{{ [1] * 10 ** 9 }}": "a text", "{{ 9 ** (10 ** 9) }}": "a power",
    "{{ '%1999999999d' | format(1) }}": "a format", "{{ '%1999999999d' % 1 }}": "a format",
    "{{ '%*d' % (10 ** 9, 1) }}": "a format",
    "{% for one in range(9999) %}{{ 'x' * 99 }}{% endfor %}": "it makes more than 256 KiB",
}  # fmt: skip


@pytest.mark.parametrize("template", TOO_MUCH)
def test_what_would_take_the_memory_is_refused(template: str) -> None:
    """Before it is made, with a word that says what."""
    with pytest.raises(TooMuch, match=TOO_MUCH[template]):
        made(template)


SLOW = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"


def test_a_loop_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks nobody, so the alarm ends it; who had set that before has it back."""
    monkeypatch.setattr(sandbox, "SECONDS", 0.05)
    before, (others, _) = signal.getsignal(signal.SIGPROF), signal.setitimer(signal.ITIMER_PROF, 100.0)
    with pytest.raises(TooMuch, match="it takes longer than"):
        made(SLOW)
    assert signal.getsignal(signal.SIGPROF) == before
    assert 50 < signal.getitimer(signal.ITIMER_PROF)[0] < 100
    signal.setitimer(signal.ITIMER_PROF, others)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Keep Python's collector off: Hypothesis has it call a function, in which an exception is lost."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_alarm_that_is_lost_rings_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python drops what is raised in a finaliser, wherever that runs."""
    monkeypatch.setattr(sandbox, "SECONDS", 0.02)

    def work(seconds: float) -> None:
        ends = time.process_time() + seconds
        while time.process_time() < ends:
            pass

    class Slow:
        def __del__(self) -> None:
            work(0.04)

    class Ends:
        def __str__(self) -> str:
            Slow()
            work(2)
            return "never"

    with pytest.raises(TooMuch):
        made("{{ it }}", it=Ends())


@pytest.mark.usefixtures("no_collector")
def test_a_loop_is_ended_with_its_line_wherever_the_alarm_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also at an instruction of Python that belongs to no line, of which a loop has some."""
    monkeypatch.setattr(sandbox, "SECONDS", 0.004)
    loop = "{% for a in range(9999) %}{% for b in range(9999) %}{% if a % 7 %}{% endif %}{% endfor %}{% endfor %}"
    template = Sandbox({"x.txt.j2": loop}, FILTERS).get_template("x.txt.j2")
    for _ in range(60):
        with pytest.raises(TooMuch) as ended:
            sandbox.run(template, {})
        assert "x.txt.j2, line 1, failed: it takes longer than" in sandbox.failure(ended.value, "x.txt.j2")


def test_time_in_which_the_process_does_not_run_is_not_the_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was stopped, or the machine was busy: no mail is held for that."""

    class Stopped:
        def __str__(self) -> str:
            select.select([], [], [], 0.2)
            return "on"

    monkeypatch.setattr(sandbox, "SECONDS", 0.05)
    assert made("go {{ it }}", it=Stopped()) == "go on"


async def test_the_alarm_leaves_the_event_loop_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which listens for signals itself."""
    monkeypatch.setattr(sandbox, "SECONDS", 0.05)
    rung = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, rung.set)
    with pytest.raises(TooMuch):
        made(SLOW)
    signal.raise_signal(signal.SIGUSR1)
    await asyncio.wait_for(rung.wait(), 10)
    asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)


def test_off_the_main_thread_a_template_runs_without_an_alarm() -> None:
    """Python sets one in the main thread alone."""
    found = []
    thread = threading.Thread(target=lambda: found.append(made("{{ 1 + 1 }}")))
    thread.start()
    thread.join(10)
    assert found == ["2"]


def test_a_name_of_a_mapping_is_its_item() -> None:
    """Whatever Python's mappings call their methods; where there is no such item, these may be called, not shown."""
    assert made("{{ say.copy }} {{ say.items }}", say={"copy": "A copy.", "items": "Items."}) == "A copy. Items."
    assert made("{% for key, value in say.items() %}{{ key }}={{ value }}{% endfor %}", say={"a": 1}) == "a=1"
    for template in ("{{ say.copy }}", "{{ say.items }}", "{{ range }}"):
        with pytest.raises(TypeError, match="a function cannot be shown"):
            made(template, say={})
    with pytest.raises(jinja2.UndefinedError):
        made("{{ say.nobody }}", say={})


ESCAPED = {
    "_row.j2": True, "_row.htm.j2": True, "x/body.html.j2": True, "x/body.de.html.j2": True,
    "x/body.txt.j2": False, "x/body.de.txt.j2": False, "_style.css.j2": False,
}  # fmt: skip


@pytest.mark.parametrize("file", ESCAPED)
def test_everything_is_escaped_but_text_and_style(file: str) -> None:
    """A partial whose name does not say may be included in HTML."""
    assert made("{{ who }}", file, who="<b>") == ("&lt;b&gt;" if ESCAPED[file] else "<b>")


def test_a_wrapped_sentence_is_escaped_once() -> None:
    """In HTML sentences come escaped."""
    assert made("{{ said | wrap | wrap }}", "x.html.j2", said=Markup("a &amp; b")) == "a &amp; b"
    assert made("{{ said | wrap }}", "x.html.j2", said="a & b") == "a &amp; b"
