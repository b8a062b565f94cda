"""The main job, before your eyes: a queue, a relay, the sender between them, and the mails as they arrived.

Starts the stub identity server in a scratch folder of this clone, and the real `mail-sender` as a process of its
own. Waits for what it waits for by its log, ends both, and leaves nothing behind.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
SECONDS = 25.0
Wanted = Callable[[str], bool]
SHOWN = ("From", "Reply-To", "To", "Subject", "Date", "Message-ID", "Auto-Submitted")


class DemoFailed(Exception):
    """A step did not come out as it must; the text says which."""


def main() -> int:
    """Run the demo; return its exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    folder = ROOT / ".demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with stub(folder / "stub") as state:
            perform(state)
    except DemoFailed as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: end without a word
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started has been ended.", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def perform(state: Path) -> None:
    """Queue, send, look."""
    configs = ["-c", str(state / "config"), "-m", str(state / "mail-sender")]
    title("1. One test mail, straight to the relay: mail-sender -s -c config -m mail-sender -t you@example.com")
    show(run("mail-sender", "-s", *configs, "-t", "you@example.com"))

    title("2. Two messages are queued at the identity server, as Kanidm does it")
    print("  a test message to ellie, and a credential reset for her account")
    run("server-stub", "message-queue", "send-test-message", "ellie", "--dir", str(state))
    run("server-stub", "person", "credential", "send-reset-token", "ellie", "--dir", str(state))
    print("\n  $ kanidm system message-queue list        (the stub's own, with the same output)\n")
    show(run("server-stub", "message-queue", "list", "--dir", str(state)))

    title("3. mail-sender runs, as it would beside a Kanidm: mail-sender -s -c config -m mail-sender")
    send(configs, marks=2)

    title("4. The queue afterwards: both are marked, with the time")
    show(run("server-stub", "message-queue", "list", "--dir", str(state)))

    title("5. The mails, as they arrived at the relay")
    mails = sorted((state / "mail").glob("*.eml"))
    for path in mails:
        show_mail(path)
    explain(mails)


def explain(mails: Sequence[Path]) -> None:
    """Say in words what happened; fail where it did not."""
    title("What happened")
    traces = [json.loads(path.with_suffix(".json").read_text()) for path in mails]
    if len(mails) != 3 or not all(trace["tls_version"] and trace["login"] for trace in traces):
        raise DemoFailed(f"{len(mails)} mails arrived, not 3, or not all over TLS with a login")
    print(
        textwrap.indent(
            f"3 mails went through the relay over {traces[0]['tls_version']}, logged in as {traces[0]['login']}:\n"
            "one for -t, and one for each queued message; none twice. Both queued messages are marked as sent.\n"
            "The reset link leads to instance_url (https://idm.example.com), not to the stub.\n"
            "Both processes have been ended, and their files removed.",
            "  ",
        )
    )


@contextmanager
def stub(state: Path) -> Iterator[Path]:
    """Run the stub identity server with its relay on free ports; end it afterwards."""
    print("Starting the stub identity server and its relay ...", flush=True)
    flags = [text for name in ("", "smtps-", "smtp-", "web-") for text in (f"--{name}port", "0")]
    ready = state.with_name(f"{state.name}.ready.json")
    command = [str(PROGRAMS / "server-stub"), "serve", "--dir", str(state), "--ready-file", str(ready), *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        await_line(process, process.stdout, lambda line: line.strip() == "ready", "the stub did not get ready")
        page = f"http://localhost:{json.loads(ready.read_text())['web']}/"
        print(f"While this runs, its page shows queue and mail: {page}  (`make stub` leaves one running)", flush=True)
        yield state
    finally:
        end(process)


def send(configs: Sequence[str], marks: int) -> None:
    """Run the sender until it has marked so many messages, showing its log; then stop it as a service would be."""
    command = [str(PROGRAMS / "mail-sender"), "-s", *configs]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    seen = 0

    def done(line: str) -> bool:
        nonlocal seen
        print(f"  {line.rstrip()}", flush=True)
        seen += " marked " in line
        return seen == marks

    try:
        await_line(process, process.stderr, done, f"the sender did not mark {marks} messages")
        process.terminate()
        rest = process.stderr.read() if process.stderr else ""
        show(rest)
        if (code := process.wait(SECONDS)) != 0:
            raise DemoFailed(f"the sender ended with {code}")
    finally:
        end(process)


def await_line(process: "subprocess.Popen[str]", stream: IO[str] | None, wanted: Wanted, otherwise: str) -> None:
    """Read a process's lines until one is wanted; the process is killed where that takes too long."""
    watchdog = threading.Timer(SECONDS, process.kill)
    watchdog.start()
    try:
        if not any(wanted(line) for line in stream or ()):
            raise DemoFailed(otherwise)
    finally:
        watchdog.cancel()


def end(process: "subprocess.Popen[str]") -> None:
    """End a process that this demo started, if it still runs."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def run(program: str, *arguments: str) -> str:
    """Run a program to its end and return what it printed."""
    done = subprocess.run(
        [str(PROGRAMS / program), *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode != 0:
        raise DemoFailed(f"{program} {arguments[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def show_mail(path: Path) -> None:
    """Print a mail as a person would read it: the headers that matter, the text, and that there is HTML."""
    mail = message_from_bytes(path.read_bytes(), policy=default)
    trace = json.loads(path.with_suffix(".json").read_text())
    lines = [f"{name}: {mail[name]}" for name in SHOWN if mail[name]]
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    if text is None or html is None:
        raise DemoFailed(f"{path.name} lacks its text or its HTML part")
    lines += ["", *text.get_content().splitlines()]
    lines += ["", f"[the same as HTML, {len(html.get_content())} characters; arrived over {trace['tls_version']}]"]
    print(textwrap.indent("\n".join(lines), "  | ", predicate=lambda _: True), end="\n\n")


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n=== {text}\n", flush=True)


def show(text: str) -> None:
    """Print what a program printed, indented."""
    print(textwrap.indent(text.rstrip("\n"), "  "), flush=True)


if __name__ == "__main__":
    sys.exit(main())
