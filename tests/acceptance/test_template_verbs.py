"""The template verbs: with no configuration, a good one, and one with faults.

The whole command line is run in this process; each verb once more as the installed program.
"""

import json
import os
import signal
import subprocess
import urllib.request
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from mail_sender.templating.kinds import COMMON, KINDS
from mail_sender.templating.template_set import PARTS, built_in
from tests.support import configs
from tests.support.sender import DEADLINE, MAIL_SENDER, run_here

Done = subprocess.CompletedProcess[str]
RESET = "credential_reset_v1"


def command(config: Path, *words: str | Path) -> list[str | Path]:
    """Return the arguments of a template verb with a mail-sender config alone: no client config, and no server."""
    return ["-c", config.parent / "no-client-config", "-m", config, "template", *words]


def template(config: Path, *words: str | Path) -> Done:
    """Run a template verb."""
    return run_here(*command(config, *words))


def lines(done: Done) -> list[dict[str, Any]]:
    """Return what was printed as JSON, an object a line."""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the operator's folder of templates, empty as yet."""
    found = tmp_path / "templates"
    found.mkdir()
    return found


@pytest.fixture
def config(tmp_path: Path, folder: Path) -> Path:
    """Give a config that names the folder."""
    return configs.sender(tmp_path, templates={"override_path": folder, "default_language": "de"})


def put(folder: Path, name: str, text: str) -> Path:
    """Write a file of the operator's."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "words",
    [("list",), ("show", RESET), ("preview", RESET), ("check",), ("export", "FOLDER")],
    ids=lambda words: words[0],
)
def test_every_verb_works_before_there_is_a_configuration_and_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Also as root, and without the identity server: the built-in set is what there is."""
    arguments = command(tmp_path / "none", *(word.replace("FOLDER", str(tmp_path / "mine")) for word in words))
    done = subprocess.run(
        [MAIL_SENDER, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "built-in templates" in done.stderr or words[0] == "export"
    assert done.stdout


# List and show


def test_a_list_names_every_kind_its_files_variables_and_languages(config: Path, folder: Path) -> None:
    """Whose file makes which part in which language, what nobody asks for, and what the variables mean."""
    mine = put(folder, f"{RESET}/body.de.txt.j2", "{{ reset_url }}\n")
    unused = put(folder, f"{RESET}/bodi.html.j2", "")
    done = template(config, "list", "-o", "json")
    assert done.returncode == 0, done.stderr
    found = {entry["kind"]: entry for entry in lines(done) if "kind" in entry}
    assert set(found) == {*KINDS, None}
    assert found[RESET]["variables"] == KINDS[RESET]
    assert found[None]["variables"] == COMMON
    text = {tuple(part["languages"]): part for part in found[RESET]["parts"] if part["part"] == "body.txt"}
    assert text.pop(("de",)) == {"part": "body.txt", "languages": ["de"], "file": str(mine), "yours": True}
    ((languages, others),) = text.items()
    assert {*languages, "de"} == set(built_in().wordings)
    assert others["yours"] is False
    assert {entry["language"]: entry["reviewed"] for entry in lines(done) if "language" in entry}["de"] is True
    (odd,) = [entry for entry in lines(done) if "unused" in entry]
    assert odd == {"unused": str(unused), "hint": f"did you mean {RESET}/body.html.j2?"}

    shown = template(config, "list").stdout
    for words in (f"{mine} (de)", "ours (every language)", "reset_url", f"{unused}; did you mean", "\nlanguages\n"):
        assert words in shown


@pytest.mark.parametrize(("language", "yours"), [("de", True), ("en", False)])
def test_show_prints_the_source_that_counts_and_says_where_it_lies(
    config: Path, folder: Path, language: str, yours: bool
) -> None:
    """The operator's file in the language that it is for, ours elsewhere; the source alone goes to standard output."""
    mine = put(folder, f"{RESET}/body.de.txt.j2", "{{ reset_url }} <- here\n")
    done = template(config, "show", RESET, "--part", "text", "--language", language)
    assert done.returncode == 0
    assert (str(mine) in done.stderr, "<- here" in done.stdout) == (yours, yours)
    all_three = lines(template(config, "show", RESET, "--language", language, "-o", "json"))
    assert [entry["part"] for entry in all_three] == list(PARTS)
    assert [entry["yours"] for entry in all_three] == [False, yours, False]


# Preview


def test_a_preview_is_the_mail_that_would_go_out(config: Path, tmp_path: Path) -> None:
    """Printed, and written as what its name says; in the language that is set, or asked for."""
    printed = template(config, "preview", RESET)
    assert printed.returncode == 0, printed.stderr
    subject, text = printed.stdout.split("\n\n", 1)
    assert subject.startswith("Subject: Example Identity: Link zum")
    files = {suffix: tmp_path / f"mail.{suffix}" for suffix in ("eml", "html", "txt")}
    for path in files.values():
        assert template(config, "preview", RESET, "--out", path).returncode == 0
    mail = message_from_bytes(files["eml"].read_bytes(), policy=default)
    assert mail["Content-Language"] == "de"
    assert mail["To"] == "ellie@example.com"
    assert files["txt"].read_text().splitlines()[:3] == text.splitlines()[:3]
    assert files["html"].read_text().startswith("<!DOCTYPE html>")
    assert "Reset" in template(config, "preview", RESET, "--language", "en").stdout


def test_data_stand_in_for_what_is_made_up(config: Path, tmp_path: Path) -> None:
    """Fields of the kind, from a file."""
    data = tmp_path / "data.json"
    data.write_text(json.dumps({"display_name": "Zoë", "intent_id": "aaaaa-bbbbb", "minutes": 30}))
    done = template(config, "preview", RESET, "--language", "en", "--data", data)
    assert done.returncode == 0, done.stderr
    for words in ("Hello Zoë", "token=aaaaa-bbbbb", "30 minutes"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1 is not JSON"),
        ("[1]", "expected an object"),
        ('{"display_name": 7}', "display_name must be a text"),
        ('{"minutes": true}', "minutes must be a whole number"),
        ('{"minutes": 99999999999}', "minutes must be a whole number between"),
        ('{"name": "x"}', "has no field name; it has display_name, intent_id, minutes"),
        (r'{"display_name": "\ud800"}', "half a character"),
        ('{"minutes": %s}' % ("9" * 5000), "a number that is too long"),
        ("[" * 100_000, "nested too deep"),
        (None, "cannot be read: No such file"),
    ],
)
def test_faulty_data_are_wrong_usage_with_a_sentence(
    config: Path, tmp_path: Path, text: str | None, said: str
) -> None:
    """2, and what the file should hold."""
    data = tmp_path / "data.json"
    if text is not None:
        data.write_text(text)
    done = template(config, "preview", RESET, "--data", data)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["preview"], "name a KIND"),
        (["preview", "no_such_kind"], "there are credential_reset_v1, test_message_v1"),
        (["show", "no_such_kind"], "there are credential_reset_v1"),
        (["preview", RESET, "--language", "xx"], "no such language"),
        (["preview", RESET, "--language", "sw"], "no sentences in sw, only in cs, de, en"),
        (["preview", RESET, "--out", "mail.pdf"], ".eml, .html or .txt"),
        (["preview", RESET, "--out", "mail.eml", "--serve", "0"], "use only one of them"),
        (["preview", "--data", "x.json", "--serve"], "name the KIND"),
        (["preview", "--serve", "99999"], "a whole number from 0 to 65535"),
        (["export", "somewhere", "--kind", "nonsense"], "there are credential_reset_v1"),
    ],
)
def test_wrong_usage_is_exit_2_with_a_sentence(config: Path, words: list[str], said: str) -> None:
    """What was wrong, and what would be right."""
    done = template(config, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_template_that_fails_is_shown_as_what_would_happen(config: Path, folder: Path) -> None:
    """The built-in mail is printed, the fault is told, and the exit code is 1."""
    put(folder, f"{RESET}/body.txt.j2", "one\n{{ 1 / 0 }}\n")
    done = template(config, "preview", RESET, "--language", "en")
    assert done.returncode == 1
    assert (
        f"the template {RESET}/body.txt.j2, line 2, failed (it divides by zero); this preview uses the built-in one"
        in done.stderr
    )
    assert "To set a new password" in done.stdout


def test_without_html_there_is_none_to_write(tmp_path: Path) -> None:
    """`html = false` is said; the text goes all the same."""
    config = configs.sender(tmp_path, templates={"html": False})
    assert template(config, "preview", RESET, "--out", tmp_path / "mail.txt").returncode == 0
    done = template(config, "preview", RESET, "--out", tmp_path / "mail.html")
    assert (done.returncode, "html = false" in done.stderr) == (1, True)


def test_a_kind_of_the_operators_own_is_shown_with_its_fields(config: Path, folder: Path) -> None:
    """A kind that this version does not know takes all its fields from the data."""
    for part in PARTS:
        put(folder, f"account_locked_v1/{part}.j2", "Locked: {{ fields.reason }}\n")
    data = put(folder.parent, "data.json", '{"reason": "too many tries"}')
    done = template(config, "preview", "account_locked_v1", "--data", data)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Subject: Locked: too many tries\n\nLocked: too many tries\n"
    without = template(config, "preview", "account_locked_v1")
    assert (without.returncode, "failed (it uses a name that does not exist)" in without.stderr) == (1, True)


# Check


def test_check_lists_every_fault_with_file_and_line(config: Path, folder: Path) -> None:
    """All at once, warnings besides, counted; 1."""
    html = put(folder, f"{RESET}/body.html.j2", "<p>\n{{ rest_url }}</p>")
    words = put(folder, "wording/de.toml", '[common]\ngreeting = "Hallo {nobody}"\n')
    put(folder, "stray.txt", "")
    done = template(config, "check")
    assert done.returncode == 1
    assert f'{html}:2: unknown variable "rest_url"; ' in done.stdout
    assert f'{words}:2: greeting names "{{nobody}}"' in done.stdout
    assert "warning: " in done.stdout
    assert "stray.txt: nothing uses this file" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("2 faults, 2 warnings; checked 3 files in ")
    *findings, end = lines(template(config, "check", "-o", "json"))
    assert [(one["file"], one["line"]) for one in findings if "file" in one] == [(str(html), 2), (str(words), 2)]
    assert end["exit"] == 1


def test_check_finds_what_shows_only_when_a_template_runs(config: Path, folder: Path) -> None:
    """A mail of each kind is made in each language of the configuration; no template takes the memory."""
    put(folder, f"{RESET}/subject.de.txt.j2", "{{ 1 / 0 }}")
    put(folder, "test_message_v1/body.txt.j2", "{{ 'x'.center(1500000000) }}")
    done = template(config, "check")
    assert done.returncode == 1
    assert (
        f"{RESET}/subject.de.txt.j2, line 1, failed (it divides by zero); seen in a sample of {RESET} in de"
        in done.stdout
    )
    assert "test_message_v1/body.txt.j2, line 1, failed: it takes more than 64 MiB of memory" in done.stdout


def test_check_of_good_templates_is_exit_0_with_its_warnings(config: Path, folder: Path) -> None:
    """One part alone is odd, but no fault."""
    put(folder, f"{RESET}/body.txt.j2", "{{ reset_url }}\n")
    done = template(config, "check")
    assert done.returncode == 0, done.stdout
    assert "body.txt.j2 is yours and credential_reset_v1/body.html.j2 is built in" in done.stdout
    assert "0 faults, 1 warning; checked 1 file in " in done.stdout


def test_faults_elsewhere_in_the_configuration_hide_no_fault_of_the_templates(tmp_path: Path, folder: Path) -> None:
    """They are told as warnings; keys that are missing or wrong are made up."""
    config = configs.sender(
        tmp_path, token=None, mail_relay="::", schedule="never", retry={"message_retries": "x"}, colour=1,
        brand={"color": "red"}, templates={"override_path": folder},
    )  # fmt: skip
    put(folder, f"{RESET}/body.html.j2", "{{ rest_url }}")
    done = template(config, "check")
    assert done.returncode == 1
    assert 'unknown variable "rest_url"' in done.stdout
    assert 'brand.color: "red"; expected a colour' in done.stdout
    for key in ("token", "mail_relay", "schedule", "retry.message_retries"):
        assert f": {key}: " in done.stdout
    assert "2 faults" in done.stdout
    assert template(config, "preview", "test_message_v1").returncode == 0


def test_a_folder_or_file_that_cannot_be_used_is_told(tmp_path: Path, folder: Path) -> None:
    """`check` lists it, 1; the other verbs have nothing to work on, 78; so has every verb without readable TOML."""
    config = configs.sender(tmp_path, templates={"override_path": tmp_path / "nowhere"})
    for verb, code in (("check", 1), ("list", 78)):
        done = template(config, verb)
        assert done.returncode == code
        assert "nowhere: no such folder" in done.stdout + done.stderr
    config.write_text("[templates\n")
    for verb in ("check", "list"):
        done = template(config, verb)
        assert done.returncode == 78
        assert "not TOML" in done.stderr


# Export


def test_an_exported_set_is_a_good_start(config: Path, tmp_path: Path, folder: Path) -> None:
    """Every file of ours; the config that it names is what is to be set, and then `check` finds nothing."""
    done = template(config, "export", folder)
    assert done.returncode == 0, done.stderr
    assert f'override_path = "{folder}"' in done.stdout
    written = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert written == built_in().ours
    checked = template(config, "check")
    assert (checked.returncode, checked.stdout[:22]) == (0, "0 faults, 0 warnings; ")


def test_export_overwrites_nothing(config: Path, tmp_path: Path) -> None:
    """One file in the way, and nothing is written."""
    mine = tmp_path / "mine"
    own = put_deep(mine / RESET / "body.txt.j2", "my own")
    done = template(config, "export", mine)
    assert done.returncode == 1
    assert f"{own} is there already" in done.stderr
    assert [path for path in mine.rglob("*") if path.is_file()] == [own]
    assert own.read_text() == "my own"
    assert template(config, "export", mine, "--kind", "test_message_v1").returncode == 0
    assert sorted(path.name for path in (mine / "test_message_v1").iterdir()) == sorted(
        f"{part}.j2" for part in PARTS
    )


def put_deep(path: Path, text: str) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


# Serve


def test_serve_says_where_and_ends_with_0_at_ctrl_c(config: Path) -> None:
    """The page answers there, on this machine alone; a second server on the same port says why it cannot be."""
    serve = [str(MAIL_SENDER), "-m", str(config), "template", "preview", "--serve", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[2]
            assert url.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(url, timeout=DEADLINE) as answer:  # noqa: S310 - the command's own URL, on loopback
                page = answer.read().decode()
            for kind in KINDS:
                assert f'src="/mail/{kind}/de.html?light"' in page
            port = url.rstrip("/").rpartition(":")[2]
            second = template(config, "preview", "--serve", port)
            assert (second.returncode, "--serve 0 takes a free port" in second.stderr) == (1, True)
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE) == 0
        finally:
            process.kill()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_the_verbs_need_no_more_than_the_start_already_has() -> None:
    """What carries them out is imported inside: the sender starts no slower for them."""
    code = "import sys, mail_sender.cli; print([name for name in ('jinja2', 'babel', 'starlette', 'uvicorn') if name in sys.modules])"
    interpreter = MAIL_SENDER.with_name("python")
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, env={**os.environ}, check=True)
    assert done.stdout == "[]\n"
