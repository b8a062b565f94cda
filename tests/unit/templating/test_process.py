"""Whatever an operator's template asks for, the process in which it runs is all that it can use up."""

import os
import resource
import signal
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import jinja2
import pytest
from markupsafe import Markup

from mail_sender.templating import process, sandbox
from mail_sender.templating.dates import TemplateTime
from mail_sender.templating.sandbox import Failed
from mail_sender.templating.wording import locale
from tests.support.samples import NOW

NAME = "test_message_v1/body.txt.j2"


def made(template: str, name: str = NAME, **variables: object) -> str:
    """Return what an operator's template makes."""
    return process.run({name: template}, name, variables)


def child() -> int:
    """Return the id of the process."""
    return process._kept[0]._process.pid


GROWING = "{% set n = namespace(x='x') %}{% for _ in range(60) %}{% set n.x = GROWN %}{% endfor %}{{ n.x | length }}"
LARGE = [
    "{{ 'x'.center(1500000000) }}", "{{ 'x' | center(1500000000) }}", "{{ '{:{}}'.format(1, 1500000000) }}", "{{ (1).to_bytes(1500000000, 'big') }}",
    "{{ ('x' * 200000) | replace('x', 'x' * 200000) }}", "{{ ('x' * 200000).join(range(9999) | map('string')) }}",
    GROWING.replace("GROWN", "n.x ~ n.x"), GROWING.replace("GROWN", "n.x + n.x"),
    "{% set n = namespace(x='x') %}{% for _ in range(60) %}{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}{% endfor %}",
]  # fmt: skip


@pytest.fixture
def largest() -> Iterator[None]:
    """See that this process does not grow by as much as one of these templates asks for; the child has a limit."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.usefixtures("largest")
@pytest.mark.parametrize("template", LARGE)
def test_what_would_take_the_memory_fails_and_takes_none_of_ours(template: str) -> None:
    """By any way to a large text; also where the compiler would make it. The next template runs as ever."""
    with pytest.raises(Failed, match=f"the template {NAME}.* failed: it takes more than 64 MiB of memory"):
        made(f"\n{template}")
    assert made("{{ 1 + 1 }}") == "2"


@pytest.mark.usefixtures("largest")
def test_a_style_that_stands_in_too_many_elements_fails() -> None:
    """A rule is copied into each of them: two hundred KiB would become gigabytes."""
    page = f"<style>p {{ {'color: red; ' * 9000} }}</style>" + "<p>" * 40_000
    # Which of its limits it meets first depends on the machine.
    with pytest.raises(Failed, match=r"its process ended|it takes longer than|it makes more than 1024 KiB"):
        process.run({"x.html.j2": page}, "x.html.j2", {}, page=True)
    page = f"<style>p {{ background: url({'x' * 90_000}) }}</style>" + "<p>x</p>" * 20
    with pytest.raises(Failed, match="with its styles it makes more than 1024 KiB"):
        process.run({"x.html.j2": page}, "x.html.j2", {}, page=True)
    assert process.run({"x.html.j2": "<style>p { color: red }</style><p>x"}, "x.html.j2", {}, page=True) == (
        '<html><head></head><body><p style="color: red;">x</p></body></html>'
    )


def test_what_takes_too_long_inside_of_one_operation_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """No alarm of Python's reaches it: the kernel does, or who waits for it. The next template has a new process."""
    assert made("{{ 1 }}") == "1"
    before = child()
    soft, _ = resource.prlimit(before, resource.RLIMIT_CPU)
    assert sandbox.SECONDS < soft < sandbox.SECONDS + 10
    monkeypatch.setattr(process, "ANSWER_SECONDS", 0.2)
    with pytest.raises(Failed, match="it takes longer than"):
        made("{% set n = namespace(x=9) %}{% for _ in range(90) %}{% set n.x = n.x * n.x %}{% endfor %}")
    monkeypatch.undo()
    assert made("{{ 1 }}") == "1"
    assert child() != before


BROKEN = {
    "a\n{{ 1 / 0 }}": r"x.txt.j2, line 2, failed \(it divides by zero\)", "{{ nobody }}": r"failed \(it uses a name that does not exist\)", "{% if %}": r"failed \(its syntax is wrong\)",
    "{% include 'x.txt.j2' %}": "uses itself without end", "{{ ''.__class__.x }}": "may not use", "{{ 1 + '' }}": "does not fit",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}": "uses itself without end", "{{ 'x' * 10 ** 9 }}": "a text is longer",
    "{% for _ in range(9999) %}{{ 'x' * 99 }}{% endfor %}": "it makes more than 256 KiB",
}  # fmt: skip


@pytest.mark.parametrize("template", BROKEN)
def test_another_fault_is_named_with_its_line_and_the_process_is_kept(template: str) -> None:
    """It costs no start of a new one."""
    made("")
    before = child()
    with pytest.raises(Failed, match=BROKEN[template]):
        made(template, "x.txt.j2")
    assert child() == before


def test_variables_arrive_as_what_they_are() -> None:
    """Escaped text, times with their methods and filters, fields of an unknown kind, any character."""
    html = "x.html.j2"
    assert made("{{ a }}{{ b }}", html, a=Markup("<b>"), b="<i>") == "<b>&lt;i&gt;"
    at = TemplateTime(NOW, NOW, ZoneInfo("Europe/Berlin"), locale("de"))
    assert made("{{ at }}|{{ at | clock }}", at=at) == "21. November 2026, 13:00 MEZ|13:00 MEZ"
    assert made("{{ fields.a.b[0] }}", fields={"a": {"b": [7]}}) == "7"
    assert made("{{ who }}", who="é\u2028💥") == "é\u2028💥"


def test_a_template_that_does_not_compile_says_why() -> None:
    """Its line, and the file where it stands."""
    with pytest.raises(jinja2.TemplateSyntaxError, match="No filter named 'nothing'") as caught:
        process.require_compiled({NAME: "\n{{ 1 | nothing }}"}, NAME)
    assert (caught.value.name, caught.value.lineno) == (NAME, 2)


def test_a_process_that_was_killed_is_replaced() -> None:
    """Whoever killed it."""
    made("")
    os.kill(child(), signal.SIGKILL)
    os.waitid(os.P_PID, child(), os.WEXITED | os.WNOWAIT)
    assert made("{{ 1 }}") == "1"


def test_the_process_ends_with_the_sender_and_not_before() -> None:
    """Signals that a terminal or systemd sends to all processes are for the sender."""
    made("")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(child(), number)
    assert made("{{ 1 }}") == "1"
    kept = process._kept[0]._process
    assert kept.stdin
    kept.stdin.close()
    assert kept.wait(10) == 0


def test_a_process_that_cannot_be_started_fails_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the built-in templates make the mail."""
    monkeypatch.setattr(process, "_kept", [])
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(Failed, match=r"cannot be started \(FileNotFoundError\)"):
        made("x")
