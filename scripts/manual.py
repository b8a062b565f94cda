#!/usr/bin/env python3
"""Makes the pages for man(1) and the scripts for shells from the program itself: `make man`.

mail-sender(1) is the command line's own help, mail-sender.toml(5) the reference of the configuration. Both are
committed in `docs/man/`, as the scripts for shells are in `docs/completion/`: the wheel installs them, and building
it needs nothing that the program needs. A test compares them with what this makes (tests/repo/test_manual.py).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.main import get_command

from mail_sender import __version__
from mail_sender.cli import app, completion, default_paths
from mail_sender.config import reference
from mail_sender.ledger import state_folder
from scripts import roff

ROOT = Path(__file__).resolve().parents[1]
_MANUAL = ROOT / "docs/man"
_COMPLETION = ROOT / "docs/completion"
_PROGRAM = completion.PROGRAM
_SCRIPTS = {"bash": "mail-sender.bash", "zsh": "_mail-sender", "fish": "mail-sender.fish"}
_DATED = re.compile(r"^## \[?[\d.]+\]?.*(\d{4}-\d\d-\d\d)", re.MULTILINE)
_EXIT = re.compile(r"^\| (\d+) \| (.*) \|$", re.MULTILINE)
_BEFORE_THE_FIRST_RELEASE = "2026-11-30"

ENVIRONMENT = {
    "MAIL_SENDER_...": "Each key of the configuration has a variable, which goes over the files.",
    "KANIDM_DEBUG": "true: log more, but never secrets, as -d does.",
    "SSL_CERT_FILE, SSL_CERT_DIR": "The certificates that are trusted instead of the system's.",
    "HTTPS_PROXY, HTTP_PROXY, NO_PROXY": "The proxy on the way to the identity server, read as curl(1) reads them.",
    "STATE_DIRECTORY": "The state folder, where [ledger] path is not set (systemd.exec(5)).",
    "CREDENTIALS_DIRECTORY": "The folder of systemd's credentials: token and mail_password may be there.",
    "NOTIFY_SOCKET, WATCHDOG_USEC": "Where systemd is told how the service is, and how often (sd_notify(3)).",
    "NO_COLOR": "Show no colours on a terminal.",
}
"""What the program reads beside the variables of its options."""
FILES = {
    str(default_paths.CLIENT_CONFIG): "Kanidm's client config: where the identity server is.",
    str(default_paths.SENDER_CONFIG): "The mail-sender config: token, relay, addresses, and all else.",
    str(state_folder.DEFAULT): "The state folder: the ledger, its lock, and the control socket.",
}

Command = typer.core.TyperGroup | typer.core.TyperCommand


def main() -> None:
    """Write all files."""
    for path, text in made().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path.relative_to(ROOT))


def made() -> dict[Path, str]:
    """Return each file with its text."""
    pages = {_MANUAL / "mail-sender.1": _of_program(), _MANUAL / "mail-sender.toml.5": _of_configuration()}
    scripts = {_COMPLETION / name: f"{completion.script(shell)}\n" for shell, name in _SCRIPTS.items()}
    return {**pages, **scripts}


def _of_program() -> str:
    root = get_command(app.app)
    assert isinstance(root, typer.core.TyperGroup)  # noqa: S101 - for the type checker
    context = typer.Context(root, info_name=_PROGRAM)
    page = [
        _title(_PROGRAM, 1, "User Commands"),
        roff.heading("Name"),
        f"{roff.escaped(_PROGRAM)} \\- carry an identity server's mail\n",
        roff.heading("Synopsis"),
        f".B {roff.escaped(_PROGRAM)}\n[\\fIOPTIONS\\fR] [\\fICOMMAND\\fR [\\fIARGUMENTS\\fR]]\n",
        roff.heading("Description"),
        roff.paragraphs(_help(root)),
        roff.heading("Options"),
        *_options(root, context),
        roff.heading("Commands"),
        *_commands(root, context),
        roff.heading("Exit status"),
        roff.paragraphs("Commands whose exit codes differ say so above."),
        *(roff.entry(code, _capital(meaning)) for code, meaning in _EXIT.findall(_page("docs/configuration.md"))),
        roff.heading("Environment"),
        *(roff.entry(name, f"As {option}.") for name, option in _variables(root)),
        *(roff.entry(name, meaning) for name, meaning in ENVIRONMENT.items()),
        roff.heading("Files"),
        *(roff.entry(path, meaning) for path, meaning in FILES.items()),
        roff.heading("See also"),
        f"{roff.escaped('mail-sender.toml')}(5)\n",
    ]
    return "".join(page)


def _of_configuration() -> str:
    page = [
        _title("mail-sender.toml", 5, "File Formats"),
        roff.heading("Name"),
        f"{roff.escaped('mail-sender.toml')} \\- the configuration of mail\\-sender\n",
        roff.heading("Description"),
        roff.paragraphs(
            "mail-sender(1) reads two TOML files: Kanidm's client config, "
            f"{default_paths.CLIENT_CONFIG}, and the mail-sender config, {default_paths.SENDER_CONFIG}. "
            "-c and -m name others. Without a fault, `mail-sender config check` ends with 0."
        ),
        roff.paragraph(
            "The top of the mail-sender config has Kanidm's keys; our own stand in tables below them. A key's "
            "variable goes over the file. `mail-sender config explain` says the same of one key."
        ),
    ]
    part, table = "", ""
    for key in reference.entries():
        wanted = "The client config" if key.file == "client" else "The mail-sender config"
        if wanted != part:
            page.append(roff.heading(wanted))
            part, table = wanted, ""
        if key.table != table:
            page.append(roff.subheading(f"[{key.table}]"))
            table = key.table
        page.append(_key(key))
    page += [
        roff.heading("Example"),
        roff.example(_page("examples/mail-sender.toml").splitlines()),
        roff.heading("See also"),
        f"{roff.escaped(_PROGRAM)}(1)\n",
    ]
    return "".join(page)


def _key(key: reference.Entry) -> str:
    default = reference.plain(key.default)
    said = reference.sentence(default if default.startswith("required") else f"default: {default}")
    text = reference.sentence(key.plain_text)
    if key.text.startswith("`"):  # a value, as it is written
        text = f"{key.plain_text[0]}{text[1:]}"
    variables = f"Variable: {', '.join(key.variables)}." if key.variables else ""
    return roff.entry(f"{key.key} ({key.type})", text, said, variables)


def _title(name: str, section: int, manual: str) -> str:
    dated = _DATED.search(_page("CHANGELOG.md"))
    date = dated[1] if dated else _BEFORE_THE_FIRST_RELEASE
    return roff.title(name, section, date, f"mail-sender {__version__}", manual)


def _commands(group: typer.core.TyperGroup, context: typer.Context) -> Iterator[str]:
    """Yield what is said of each command, those inside groups after their group."""
    for name, command in group.commands.items():
        if command.hidden or not isinstance(command, Command):
            continue
        inner = typer.Context(command, info_name=name, parent=context)
        usage = " ".join([inner.command_path, *command.collect_usage_pieces(inner)])
        yield roff.subheading(usage.replace("[[", "[").replace("]]", "]"))
        yield roff.paragraphs(_help(command))
        yield from _options(command, inner)
        if isinstance(command, typer.core.TyperGroup):
            yield from _commands(command, inner)
        if command.epilog:
            yield roff.paragraph(command.epilog)


def _help(command: Command) -> str:
    return re.sub(r"(?m)^[ \t]+", "", command.help or "")


def _options(command: Command, context: typer.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and "--help" not in parameter.opts:
            yield roff.entry(*record)


def _variables(command: Command) -> Iterator[tuple[str, str]]:
    for parameter in command.params:
        if isinstance(parameter.envvar, str):
            yield parameter.envvar, max(parameter.opts, key=len)


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _page(name: str) -> str:
    return (ROOT / name).read_text()


if __name__ == "__main__":
    main()
