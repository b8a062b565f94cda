"""Every block of the pages is what its fence says, and what a reader takes from it works: commands, configurations, data.

What can be run here is run (tests/acceptance/test_pages.py). For the rest each command of ours is read by the program's own
command line, and each other program stands in one of the tables below, with the reason why it is not run.
"""

import json
import re
import subprocess
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path

import pytest
import tomli
import yaml

from mail_sender.config import load
from mail_sender.errors import ConfigError
from mail_sender.templating import catalogues
from server_stub.identity import people
from server_stub.misbehaviour.active_rules import Misbehaviour
from server_stub.relay import refusals
from tests.golden import samples
from tests.repo import blocks, checkout, commands
from tests.repo.blocks import Block
from tests.repo.commands import Command
from tests.support import configs, service_account
from tests.support.certificates import Authority

RUN = {"docs/start.md", "docs/operating.md", "docs/debian.md"}
"""The pages whose `console` blocks are run, all of them (tests/acceptance/test_pages.py, tests/container/test_debian.py)."""

NOT_SHOWN = {
    "docs/alerts.md: mail-sender alert test": "asks Slack; tests/acceptance/test_alerts.py has the same line of a webhook here",
    "docs/replicas.md: mail-sender status": "needs three machines; tests/unit/cli/test_status_text.py has these lines",
    "docs/backup.md: mail-sender doctor --only ledger": "tests/acceptance/test_doctor.py has these lines",
}
"""Commands after a prompt on other pages, and why what they show is not compared."""

LANGUAGES = {"sh", "console", "toml", "yaml", "json", "ini", "text", "mermaid"}

NOT_RUN = {
    **dict.fromkeys(
        ("podman", "docker", "kubectl", "buildah"),
        "needs a container engine or a cluster; tests/container runs the image",
    ),
    **dict.fromkeys(
        ("systemctl", "journalctl"), "needs a machine that systemd runs; test_systemd_unit.py checks the unit"
    ),
    **dict.fromkeys(
        ("install", "ln", "useradd", "runuser", "sudo", "chmod", "chown", "rm"),
        "changes users and folders of a machine",
    ),
    **dict.fromkeys(
        ("pg_dump", "psql", "pg_restore"), "need a database; tests/acceptance/test_restored_database.py runs them"
    ),
    "kanidm": "Kanidm's own client; KANIDM has the commands that it has",
    "kanidm-mail-sender": "Kanidm's own sender",
    "curl": "asks a provider",
    "jq": "Debian's; it reads what tests/acceptance checks as JSON",
    **dict.fromkeys(
        ("openssl", "sha256sum"), "for the relay's machine; test_fingerprint.py finds the same by other means"
    ),
    "python": "of the clone: pytest, as `make test` runs it",
    "python3": "makes the environment that pip installs into",
    "pip": "asks the package index",
    "git": "brings another version",
    **dict.fromkeys(("export", "umask"), "of the shell"),
}
"""Programs of others, and why no test runs them from a page."""

KANIDM = {
    "group add-members",
    "login",
    "person create",
    "person credential create-reset-token",
    "person credential send-reset-token",
    "person get",
    "person update",
    "service-account api-token destroy",
    "service-account api-token generate",
    "service-account api-token status",
    "service-account create",
    "service-account get",
    "system domain set-allow-account-recovery",
    "system message-queue get",
    "system message-queue list",
    "system message-queue mark-as-sent",
    "system message-queue send-test-message",
}
"""Commands of Kanidm's client 1.12 (docs/kanidm-wire.md, The command line)."""


def test_every_block_says_what_it_holds() -> None:
    """Without a language there is no check and no colour."""
    unclear = [
        f"{block}: begin this block with ```{' or ```'.join(sorted(LANGUAGES))} (it has {block.language or 'no fence'!r})"
        for block in blocks.blocks()
        if block.language not in LANGUAGES
    ]
    assert unclear == []


def test_no_command_hides_in_a_block_of_text() -> None:
    """It would escape the checks below."""
    found = re.compile(r"^(?:[$#] )?(?:mail-sender|server-stub|podman|kanidm|make) ", re.MULTILINE)
    assert [f"{block}: this is sh or console" for block in blocks.blocks("text") if found.search(block.text)] == []


@pytest.mark.parametrize("block", blocks.blocks("sh", "console"), ids=str)
def test_a_shell_can_read_the_block(block: Block) -> None:
    """As far as quotes, brackets and continued lines go."""
    done = subprocess.run(["bash", "-n"], input=commands.script(block), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), f"{block}: {done.stderr}"
    assert commands.script(block).strip(), f"{block}: no line begins with `$ `"


def test_every_command_of_ours_is_one() -> None:
    """Its words, its options and their values are read by the command line of the program itself."""
    ours = [command for command in commands.commands() if command.program in commands.OURS]
    assert len(ours) > 40
    assert [f"{command}: {found}" for command in ours if (found := commands.problem(command))] == []


def test_every_other_command_is_there_or_has_a_reason_not_to_be_run() -> None:
    """Targets of make and scripts exist; programs of others stand in `NOT_RUN`."""
    others = [command for command in commands.commands() if command.program not in commands.OURS]
    assert [found for command in others if (found := _wrong(command))] == []


def test_what_a_command_shows_is_compared_or_has_a_reason_not_to_be() -> None:
    """A page that shows what the program no longer prints misleads who is looking for a difference."""
    typed = {
        f"{block.page}: {line}" for block in blocks.blocks("console") for line in commands.script(block).splitlines()
    }
    others = {line for line in typed if line.partition(":")[0] not in RUN}
    advice = "run it in tests/acceptance/test_pages.py, or add it to NOT_SHOWN with a reason"
    assert [f"{line}: {advice}" for line in sorted(others - set(NOT_SHOWN))] == []
    assert set(NOT_SHOWN) - others == set()


def test_every_command_in_a_sentence_is_one_of_the_programs() -> None:
    """Its words and its options; a sentence may leave out the arguments."""
    span = re.compile(r"`((?:mail-sender|server-stub) [^`]+)`")
    wrong = []
    for page in blocks.pages():
        for number, line in enumerate((checkout.ROOT / page).read_text().splitlines(), 1):
            wrong += [
                f"{page}:{number}: {text}: {found}"
                for text in span.findall(line)
                if (found := commands.unknown(text))
            ]
    assert wrong == []


def test_the_checks_of_commands_can_fail() -> None:
    """A word, an option, a value or a target that is not there is found, also inside a container."""
    bad = """
        mail-sender queue lst
        mail-sender -m x queue list --stat failed
        podman exec -i mail-sender mail-sender doctor --recieved - < x
        podman run --rm -v a:b localhost/mail-sender docter
        runuser -u mail-sender -- /opt/mail-sender/bin/mail-sender -t
        A=b server-stub serve --port none --dir x
    """
    block = Block("p", 1, "sh", "".join(f"{line.strip()}\n" for line in bad.strip().splitlines()))
    ours = [command for command in commands.of_block(block) if command.program in commands.OURS]
    assert [bool(commands.problem(command)) for command in ours] == [True] * 6
    other = Block(
        "p", 1, "sh", "make tset\nscripts/gone.sh\nkanidm group add\nsystemctl cat examples/gone\nrsync a b\n"
    )
    assert all(map(_wrong, commands.of_block(other)))
    assert all(
        map(commands.unknown, ("mail-sender queue lst", "mail-sender doctor --recieved", "server-stub serve --prt"))
    )
    assert not any(
        map(commands.unknown, ("mail-sender queue ...", "mail-sender doctor --received", "mail-sender -t ADDRESS"))
    )


@pytest.mark.parametrize("block", blocks.blocks("toml"), ids=str)
def test_a_configuration_of_a_page_loads(block: Block, tmp_path: Path) -> None:
    """As what its first line or its tables say that it is; beside the keys that each configuration needs."""
    _reader(block)(block.text, tmp_path)


def test_the_check_of_configurations_can_fail(tmp_path: Path) -> None:
    """A key that is not there, one that is worth nothing, a path of a kind that nobody made."""
    for text in (
        "[relay]\nlocal_nam = 'x'\n",
        "schedule = 'often'\n",
        "[ledger]\nkind = 'paper'\n",
        "mail_rely = 'x'\n",
    ):
        with pytest.raises(AssertionError, match="p:1"):
            _reader(block := Block("p", 1, "toml", text))(block.text, tmp_path)


@pytest.mark.parametrize("block", blocks.blocks("json", "yaml", "ini"), ids=str)
def test_data_of_a_page_is_in_its_language(block: Block) -> None:
    """JSON, YAML, or the sections of a unit."""
    match block.language:
        case "json":
            json.loads(block.text)
        case "yaml":
            assert all(isinstance(one, dict | list) for one in yaml.safe_load_all(block.text))
        case _:
            unit = ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
            unit.optionxform = str  # type: ignore[assignment,method-assign]  # as configparser's page has it
            unit.read_string(block.text)
            assert unit.sections(), f"{block}: no [Section]"


def _wrong(command: Command) -> str | None:
    """Return what is wrong with a command of others, or None."""
    arguments = " ".join(command.arguments)
    gone = [
        word
        for word in command.arguments
        if re.match(r"(?:examples|scripts|tests|docs)/", word) and not (checkout.ROOT / word).exists()
    ]
    if gone:
        return f"{command}: {gone} is not in the repository"
    if command.program == "make":
        targets = re.findall(r"(?m)^(\w+):", (checkout.ROOT / "Makefile").read_text())
        unknown = [word for word in command.arguments if "=" not in word and word not in targets]
        return f"{command}: make has no {unknown}" if unknown else None
    if command.program.startswith("scripts/"):
        return None if (checkout.ROOT / command.program).exists() else f"{command}: no such script"
    if command.program == "kanidm" and not any(re.match(rf"{known}\b", arguments) for known in KANIDM):
        return f"{command}: add it to KANIDM if Kanidm has this command"
    return None if command.program in NOT_RUN else f"{command}: add {command.program} to NOT_RUN, with a reason"


def _reader(block: Block) -> Callable[[str, Path], object]:
    """Return what loads a block of TOML."""
    first = block.text.partition("\n")[0]
    if name := re.match(r"# (wording/\S+\.toml)$", first):
        return lambda text, _: catalogues.wordings({name[1]: text})
    tables = set(tomli.loads(block.text))
    if tables & {"api", "queue"} or ("relay" in tables and isinstance(tomli.loads(block.text)["relay"], list)):
        return lambda text, _: Misbehaviour().set(text)
    if "person" in tables:
        return lambda text, folder: people.load(_written(folder, text))
    if "refuse" in tables:
        return lambda text, folder: refusals.reply_for("nobody@example.com", _written(folder, text))
    return lambda text, folder: _load(str(block), text, folder)


def _written(folder: Path, text: str) -> Path:
    path = folder / "block.toml"
    path.write_text(text)
    return path


def _load(where: str, text: str, folder: Path) -> None:
    """Load a block as one of the two files, with the keys that it leaves out, and the files that it names."""
    found = tomli.loads(text)
    files = _files(folder)
    for key, name in re.findall(r'^\s*(\w*path) = "([^"]+)"', text, re.MULTILINE):
        assert key in files, f"{where}: say in _files() what {key} names"
        text = text.replace(f'"{name}"', json.dumps(str(files[key])))
    client, sender = configs.client(folder), configs.sender(folder)
    if "uri" in found:
        client.write_text(text)
    else:
        relay = found.get("relay", {})
        replaced = {"mail_relay", "mail_username"} if "preset" in relay else set()
        replaced |= {"mail_password"} if "oauth" in relay or "mail_password_path" in found else set()
        flat = {key: value for key, value in configs.KANIDM.items() if key not in {*found, *replaced}}
        sender.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in flat.items()) + text)
    try:
        load.load(client, sender)
    except ConfigError as error:
        raise AssertionError(f"{where}: {error}") from None


def _files(folder: Path) -> dict[str, Path]:
    """Make what a configuration may name, and return it by key."""
    if not (folder / "ca.pem").exists():
        Authority.make(folder).client(folder)
        (folder / "templates").mkdir()
        (folder / "domains.txt").write_text("throwaway.example\n")
        (folder / "logo.png").write_bytes(samples.image(2, 2, b"\0\0\0"))
        (folder / "secret").write_text("a.b.c")
        (folder / "secret").chmod(0o600)
        (folder / "key.json").write_text(json.dumps(service_account.KEY))
    return {
        "ca_path": folder / "ca.pem",
        "client_cert_path": folder / "client.pem",
        "client_key_path": folder / "client.key",
        "override_path": folder / "templates",
        "disposable_domains_path": folder / "domains.txt",
        "logo_path": folder / "logo.png",
        "path": folder / "state",
        "token_path": folder / "secret",
        "mail_password_path": folder / "secret",
        "client_secret_path": folder / "secret",
        "service_account_path": folder / "key.json",
    }
