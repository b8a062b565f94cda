"""What stands in documents and examples is what the program does."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from mail_sender.config import load, reference
from mail_sender.config.keys import ClientFile, SenderFile
from mail_sender.observe.alerts import rules
from mail_sender.observe.metrics import Metrics
from mail_sender.relay.relay_url import Security
from tests.golden import samples
from tests.support import configs
from tests.support.certificates import Authority

ROOT = Path(__file__).resolve().parents[2]


def keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation)


def test_every_key_stands_in_the_configuration_page() -> None:
    """A key that no page names does not exist for those who run it."""
    page = (ROOT / "docs/configuration.md").read_text()
    known = {*keys(ClientFile), *keys(SenderFile)}
    assert [key for key in sorted(known) if not re.search(rf"`(\[[\w.]+\] )?{key}`|`\[([\w]+\.)?{key}\]", page)] == []


def test_every_key_stands_in_the_full_example() -> None:
    """The example with every key has every key, each in its own table; commented out where it cannot stand there."""
    table, found = "", set()
    for line in (ROOT / "examples/mail-sender-full.toml").read_text().splitlines():
        if header := re.match(r"(?:# )?\[+([\w.]+)\]+$", line):
            table = f"{header[1]}."
            found.add(header[1])
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            found.add(f"{table}{key[1]}")
    known = {entry.name for entry in reference.entries() if not entry.name.startswith("client.")}
    inline = {name for name in known if name.startswith("relay.warm_up.")}
    assert known - inline - found == set()


def defaults(model: type[BaseModel], table: str = "") -> Iterator[tuple[str, str]]:
    """Yield each key, with its table, and what the comment above it says of its default, as far as the keys know it."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from defaults(field.annotation, f"{table}.{name}".lstrip("."))
        elif field.is_required():
            yield f"{table}.{name}", "Required."
        elif isinstance(field.default, bool | int | float | str):
            yield f"{table}.{name}", f"Default: {json.dumps(field.default).removesuffix('.0')}."
        else:
            yield f"{table}.{name}", "efault"


def test_the_full_example_gives_the_default_of_every_key() -> None:
    """What stands there is an example; what counts if a key is left out stands above it."""
    table, comment, said = "", "", {}
    for line in (ROOT / "examples/mail-sender-full.toml").read_text().splitlines():
        if found := re.match(r"(?:# )?\[+([\w.]+)\]+$", line):
            table = found[1]
        elif found := re.match(r"(?:# )?(\w+) = ", line):
            said[f"{table}.{found[1]}"], comment = comment, ""
        else:
            comment = f"{comment} {line.removeprefix('# ')}" if line else ""
    wrong = [
        key
        for key, default in defaults(SenderFile)
        if default not in said.get(key, "") and key not in {".headers", "relay.fallback"}
    ]
    assert wrong == [".mail_relay"]  # required, except for a dry run
    assert "Required, except with [relay] preset and for a dry run." in said[".mail_relay"]


def filled_in(name: str, folder: Path) -> Path:
    """Write an example with a token, and with paths into a folder; as it is, its token is a placeholder."""
    text = (ROOT / "examples" / name).read_text()
    path = folder / name
    path.write_text(text.replace("eyJ...paste-the-token-here", "a.b.c").replace("/data/kanidm", str(folder)))
    return path


def test_kanidms_own_example_loads(tmp_path: Path) -> None:
    """A bare relay host, an empty password, no schedule: as Kanidm's file has it."""
    loaded = load.load(configs.client(tmp_path), filled_in("mail-sender.toml", tmp_path))
    assert (configs.relay_of(loaded).host, configs.relay_of(loaded).port) == ("smtp.example.com", 465)
    assert configs.relay_of(loaded).security is Security.IMPLICIT
    assert configs.relay_of(loaded).username is None
    assert str(loaded.sender.schedule) == "*/5 * * * * * *"


def test_the_full_example_loads(tmp_path: Path) -> None:
    """With the certificates that it names in their place."""
    Authority.make(tmp_path).client(tmp_path)
    (tmp_path / "ca.pem").rename(tmp_path / "relay-ca.pem")
    (tmp_path / "templates").mkdir()
    (tmp_path / "disposable-domains.txt").write_text("throwaway.example\n")
    (tmp_path / "logo.png").write_bytes(samples.image(2, 2, b"\0\0\0"))
    loaded = load.load(configs.client(tmp_path), filled_in("mail-sender-full.toml", tmp_path))
    assert loaded.mail.headers == (("X-SES-CONFIGURATION-SET", "identity"),)
    assert configs.relay_of(loaded).client_key_path == tmp_path / "client.key"


def test_every_event_stands_in_the_log_page_and_no_other() -> None:
    """The page that an operator reads at night knows every event by its name."""
    source = "".join(path.read_text() for path in (ROOT / "mail_sender").rglob("*.py"))
    events = set(re.findall(r"_log\.(?:debug|info|warning|error)\(\s*\"(\w+)\"", source))
    events |= {f"{name}_{end}" for name in re.findall(r"Condition\(\"(\w+)\"", source) for end in ("up", "down")}
    page = (ROOT / "docs/log.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == events


def test_every_metric_stands_in_the_monitoring_page_as_it_is() -> None:
    """Whoever writes an alert finds each name with its type, its labels and its meaning, and no name that is gone."""
    registry = Metrics().registry
    of_own = {getattr(one, "_name", ""): getattr(one, "_labelnames", ()) for one in registry._collector_to_names}
    expected = set()
    for family in registry.collect():
        names = getattr(family, "_labelnames", ()) or of_own.get(family.name, ())
        labels = ", ".join(f"`{name}`" for name in names)
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name.startswith("mail_sender_"):
            expected.add(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    page = (ROOT / "docs/monitoring.md").read_text()
    assert {line for line in page.splitlines() if line.startswith("| `mail_sender_")} == expected


def test_every_loop_and_alert_of_a_condition_stands_in_its_page() -> None:
    """Who filters by a name that the program never writes waits for nothing."""
    code = "".join(file.read_text() for file in (ROOT / "mail_sender/sender").glob("*.py"))
    loops = set(re.findall(r'heartbeats\.of\("(\w+)"', code))
    monitoring, alerts = ((ROOT / f"docs/{name}.md").read_text() for name in ("monitoring", "alerts"))
    assert len(loops) == 3
    assert sorted(re.findall(r"`(\w+)`", re.findall(r"(?m)^\| `loop` \|(.*)$", monitoring)[0])) == sorted(loops)
    assert {f"loop_{name}" for name in loops} == set(re.findall(r"`(loop_\w+)`", alerts))
    assert {f"{name}_down" for name in rules.CONDITIONS} <= set(re.findall(r"`(\w+_down)`", alerts))


def test_every_exit_code_and_flag_stands_in_the_configuration_page() -> None:
    """What scripts rely on is written down."""
    page = (ROOT / "docs/configuration.md").read_text()
    for code in (0, 1, 2, 75, 77, 78):
        assert f"\n| {code} | " in page
    for flag in ("-c", "-m", "-t", "-d", "-s", "--version", "--help"):
        assert f"`{flag}`" in page or f"[{flag} " in page


def test_every_path_that_a_page_names_is_there() -> None:
    """Whoever opens what the architecture page names finds it; `<language>` and the like stand for any."""
    named = re.compile(r"`((?:mail_sender|server_stub|templates|tests|docs|scripts|examples)/[^`\s]*)`")
    missing = [
        f"{page}: {path}"
        for page in ("README.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")))
        for path in named.findall((ROOT / page).read_text())
        if not any(ROOT.glob(re.sub(r"<\w+>", "*", path).rstrip("/")))
    ]
    assert missing == []
