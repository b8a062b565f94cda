"""The verbs print what `kanidm` prints, and fail as it fails (docs/kanidm-wire.md, The command line)."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from server_stub.cli import queue_text
from tests.support.stub import SERVER_STUB, Stub
from tests.support.stub_in_process import command

ROOT = Path(__file__).parents[2]
ID = "20febc63-5f98-4ce8-9546-065189d25f43"
ENTRY: dict[str, Any] = {
    "raw": True,
    "schemas": [],
    "id": ID,
    "class": ["object", "outbound_message"],
    "delete_after": "2026-11-27T22:46:23.471381168Z",
    "mail_destination": [{"primary": True, "value": "ellie@example.com"}, {"value": "bob@example.com"}],
    "message_template": {"TestMessageV1": {"display_name": "Ellie"}},
    "send_after": "2026-11-20T02:46:23Z",
}
BLOCK = f"""\
message_id:   {ID}
send_after:   2026-11-20 2:46:23.0 +00:00:00
sent_at:      queued
delete_after: 2026-11-27 22:46:23.471381168 +00:00:00
template:     test_message_v1
to:           ellie@example.com
to:           bob@example.com

"""
AS_JSON = (
    f'{{"schemas":[],"id":"{ID}","message_template":{{"TestMessageV1":{{"display_name":"Ellie"}}}},'
    '"send_after":"2026-11-20T02:46:23Z","delete_after":"2026-11-27T22:46:23.471381168Z","sent_at":null,'
    '"mail_destination":[{"primary":true,"value":"ellie@example.com"},{"primary":false,"value":"bob@example.com"}],'
    '"class":["object","outbound_message"]}'
)
OPERATION = re.compile(r"OperationId: [0-9a-f-]{36}\n")


def said(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


def test_list_and_get_print_blocks(stub: Stub) -> None:
    """Labels of 14 columns, an hour without zero, one fraction digit at least; the end is on stderr."""
    stub.queue([ENTRY, ENTRY])
    assert said(stub.run("message-queue", "list")) == (0, BLOCK * 2, "--\nSuccess\n")
    assert said(stub.run("message-queue", "get", ID.upper())) == (0, BLOCK, "--\nSuccess\n")


def test_list_and_get_print_json(stub: Stub) -> None:
    """One line in the order of the real command, with nulls and defaults for what was absent."""
    stub.queue([ENTRY])
    whole = f'{{"schemas":[],"totalResults":1,"itemsPerPage":null,"startIndex":null,"resources":[{AS_JSON}]}}\n'
    assert said(stub.run("message-queue", "list", "-o", "json")) == (0, whole, "")
    assert said(stub.run("message-queue", "get", ID, "--output", "json")) == (0, AS_JSON + "\n", "")


@pytest.mark.parametrize("words", [("message",), ("system", "message-queue"), ("system", "message")])
def test_the_words_of_kanidm_lead_there_too(shared_stub: Stub, words: tuple[str, ...]) -> None:
    """A line for `kanidm` needs only the other name; `message` is its alias."""
    assert said(shared_stub.run(*words, "list")) == (0, "", "--\nSuccess\n")


def test_an_output_that_is_not_json_is_text(stub: Stub) -> None:
    """As there: anything else than `json`, in capitals too."""
    stub.queue([ENTRY])
    for output in ("text", "yaml", "JSON"):
        assert said(stub.run("message-queue", "list", "-o", output)) == (0, BLOCK, "--\nSuccess\n")


TIMES = {
    "2026-11-20T00:00:00Z": "2026-11-20 0:00:00.0 +00:00:00",
    "2026-11-20T09:05:07.5Z": "2026-11-20 9:05:07.5 +00:00:00",
    "2026-11-20T10:00:00.000000001Z": "2026-11-20 10:00:00.000000001 +00:00:00",
}


def test_times_are_written_as_there(stub: Stub) -> None:
    """The hour alone has no zero before it, and there is at least one fraction digit."""
    for time, written in TIMES.items():
        (key,) = stub.queue([{**ENTRY, "id": None, "sent_at": time}])
        assert f"\nsent_at:      {written}\n" in stub.run("message-queue", "get", key).stdout


def test_fill_queues_so_many_and_says_where_to_look(stub: Stub) -> None:
    """All of them due; the page's address and a command that works as it stands."""
    code, stdout, stderr = said(stub.run("fill", "7"))
    assert (code, stderr) == (0, "")
    first, _, page, listing = stdout.splitlines()
    assert first.startswith("7 messages ")
    assert page.strip() == f"http://localhost:{stub.ports['web']}/"
    assert stub.request("GET", "/scim/v1/Message/_ready").json()["totalResults"] == 7
    listed = subprocess.run(shlex.split(listing), capture_output=True, text=True, timeout=30, check=True)
    assert listed.stdout.count("sent_at:      queued") == 7


def test_fill_says_where_a_list_ends(stub: Stub) -> None:
    """From 1,024 stored messages on a person's list fails, and the command with it, as `kanidm` does."""
    assert "1,024" not in stub.run("fill", "1").stdout
    assert "1,024" in stub.run("fill", "1024").stdout
    code, stdout, stderr = said(stub.run("message-queue", "list"))
    assert (code, stdout) == (1, "")
    assert OPERATION.match(stderr)
    assert "backend" in stderr


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5"])
def test_fill_wants_a_number_of_messages(shared_stub: Stub, count: str) -> None:
    """Wrong usage is exit code 2."""
    assert shared_stub.run("fill", count).returncode == 2


def test_an_empty_queue_is_printed_as_such(stub: Stub) -> None:
    """No block, and the end on stderr."""
    assert said(stub.run("message-queue", "list")) == (0, "", "--\nSuccess\n")


def test_marking_and_sending_say_what_was_done(stub: Stub) -> None:
    """One sentence as text, the same as a JSON string."""
    stub.queue([ENTRY])
    assert said(stub.run("message-queue", "mark-as-sent", ID)) == (0, "Message Marked as Sent\n", "")
    assert said(stub.run("message-queue", "mark-as-sent", ID, "-o", "json")) == (0, '"Message Marked as Sent"\n', "")
    assert said(stub.run("message-queue", "send-test-message", "ellie")) == (0, "Message Queued\n", "")
    assert said(stub.run("message-queue", "send-test-message", "ellie", "-o", "json")) == (
        0,
        '"Message Queued"\n',
        "",
    )
    first, *rest = stub.messages()
    assert "sent_at" in first
    assert len(rest) == 2
    shown = stub.run("message-queue", "get", ID).stdout
    assert re.search(r"^sent_at:      \d{4}-\d\d-\d\d \d?\d:\d\d:\d\d\.\d{1,9} \+00:00:00$", shown, re.MULTILINE)


@pytest.mark.parametrize("words", [("person", "credential"), ("person",)])
def test_a_reset_can_be_sent(stub: Stub, words: tuple[str, ...]) -> None:
    """With and without the word `credential`, with another address and a lifetime; `Success` in any form."""
    verb = (*words, "send-reset-token", "ellie")
    assert said(stub.run(*verb)) == (0, "Success\n", "")
    assert said(stub.run(*verb, "ellie@example.com", "--ttl", "600", "-o", "json")) == (0, "Success\n", "")
    expiries = [one["message_template"]["CredentialResetV1"]["expiry_time"] for one in stub.messages()]
    assert 2990 <= expiries[0] - expiries[1] <= 3010


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("message-queue", "get", ID), "Item not found"),
        (("message-queue", "mark-as-sent", ID), "Item not found"),
        (("message-queue", "send-test-message", "nobody ?#é"), "Item not found"),
        (("message-queue", "send-test-message", "bob"), "missingattribute"),
        (("person", "send-reset-token", "bob"), "cu0008accountmissingemail"),
    ],
)
def test_an_error_names_its_operation(shared_stub: Stub, args: tuple[str, ...], words: str) -> None:
    """Exit code 1; the operation id first, then a sentence."""
    code, stdout, stderr = said(shared_stub.run(*args))
    assert (code, stdout) == (1, "")
    assert OPERATION.match(stderr)
    assert words in stderr


@pytest.mark.parametrize("verb", ["get", "mark-as-sent"])
def test_an_argument_that_is_no_id_is_wrong_usage(shared_stub: Stub, verb: str) -> None:
    """Exit code 2, as the real command has it."""
    assert shared_stub.run("message-queue", verb, "zzz").returncode == 2


def test_without_a_stub_the_verbs_say_how_to_start_one(stub: Stub) -> None:
    """A stopped stub and a folder that never had one get a sentence."""
    stub.stop()
    done = stub.run("message-queue", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"server-stub serve --dir {stub.dir}" in done.stderr
    for verb in (("message-queue", "list"), ("queue", "--file", "x.json"), ("fill", "1")):
        done = command(*verb, "--dir", str(stub.dir / "elsewhere"))
        assert done.returncode == 1
        assert "server-stub serve --dir" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_broken_config_is_reported_without_the_token(stub: Stub) -> None:
    """What stands in the files is not repeated, for it may be a secret."""
    token = stub.tokens["admin"]
    (stub.dir / "tokens.json").write_text(f'{{"admin": "{token}"')
    done = stub.run("message-queue", "list")
    assert done.returncode == 1
    assert token not in done.stderr
    assert "Traceback" not in done.stderr


def test_what_an_entry_lacks_is_filled_in(stub: Stub) -> None:
    """Id, class, schemas and times; all else is kept, several recipients and unknown kinds too."""
    given = {"message_template": {"BirthdayV9": {"x": 1.5}}, "mail_destination": [], "colour": "röd 🎈 \ud800"}
    (key,) = stub.queue([given])
    (entry,) = stub.messages()
    assert entry.pop("id") == key
    assert {"schemas", "class", "send_after", "delete_after"} <= entry.keys()
    assert {name: entry[name] for name in given} == given
    assert stub.request("GET", "/scim/v1/Message/_ready").json()["totalResults"] == 1


def test_a_raw_entry_is_kept_as_it_is(stub: Stub) -> None:
    """Even where it is no entry at all: that is what it is for."""
    odd = [{"raw": True, "id": 7, "send_after": "soon"}, {"raw": True}, 42, None, "text", [[]]]
    assert len(stub.queue(odd)) == len(odd)
    listed = stub.request("GET", "/scim/v1/Message/_ready").json()["resources"]
    assert listed == [{"id": 7, "send_after": "soon"}, {}, 42, None, "text", [[]]]
    assert stub.run("message-queue", "list").returncode == 0
    assert stub.run("message-queue", "list", "-o", "json").returncode == 0


ODD = (
    42,
    ENTRY | {"mail_destination": []},
    ENTRY | {"mail_destination": [{"primary": True}]},
    ENTRY | {"delete_after": "next week"},
    ENTRY | {"sent_at": "today"},
    ENTRY | {"message_template": {"InvitationV9": {}}},
    ENTRY | {"message_template": {"TestMessageV1": {}, "CredentialResetV1": {}}},
    {key: value for key, value in ENTRY.items() if key != "id"},
)


@pytest.mark.parametrize("entry", ODD)
def test_what_kanidms_command_could_not_decode_is_shown_in_full(entry: object) -> None:
    """As JSON on one line, without anything that a terminal takes for a command; a sound entry needs none."""
    line = queue_text.entry_text(entry).splitlines()[-1]
    assert json.loads(line.removeprefix("json:")) == entry
    assert "json:" not in queue_text.entry_text(ENTRY)
    assert "json:" not in queue_text.entry_text(ENTRY | {"sent_at": "2026-11-20T22:46:23Z"})


def test_an_odd_entry_is_got_by_the_id_that_queueing_it_printed(stub: Stub) -> None:
    """Also where it has none of its own."""
    (key,) = stub.queue([{"raw": True, "a\u001b": 1}])
    assert stub.run("message-queue", "get", key).stdout.endswith('json:         {"a\\u001b":1}\n\n')


def test_the_example_of_raw_entries_is_queued(stub: Stub) -> None:
    """The file that the documentation names: two recipients, an unknown kind, a later one, and two odd ones."""
    done = stub.run("queue", "--file", str(ROOT / "examples" / "entries.json"))
    assert [stub.run("message-queue", "get", key).returncode for key in done.stdout.split()] == [0] * 5
    assert stub.request("GET", "/scim/v1/Message/_ready").json()["totalResults"] == 4


def test_words_from_outside_cannot_forge_a_line(stub: Stub) -> None:
    """Control characters in an entry reach neither the terminal nor the next line."""
    stub.queue([ENTRY | {"mail_destination": [{"value": "a@b\nsent_at: \x1b[2J"}]}])
    assert "to:           a@b?sent_at: ?[2J\n" in stub.run("message-queue", "list").stdout


def test_a_bad_queue_file_is_named_and_nothing_is_queued(stub: Stub, tmp_path: Path) -> None:
    """All entries or none, and a sentence."""
    file = tmp_path / "entries.json"
    for content in ("", "{}", "[NaN]", "[{}, 1e999]", "[" * 100_000, '"x"'):
        file.write_text(content)
        done = stub.run("queue", "--file", str(file))
        assert done.returncode == 1, content[:20]
        assert str(file) in done.stderr
        assert "Traceback" not in done.stderr
    assert stub.messages() == []


def test_no_proxy_comes_between(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment does not keep the verbs from this machine's stub."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert stub.run("message-queue", "list").returncode == 0


def test_output_that_cannot_be_written_makes_no_traceback() -> None:
    """A full disk behind it is a sentence, also where Python holds output back until the end."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [SERVER_STUB, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False
        )
    assert (done.returncode, done.stderr) == (1, "Cannot use what is needed: No space left on device.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("serv", "`server-stub` has no command 'serv'; did you mean `server-stub serve`?"),
        ("list", "did you mean `server-stub message-queue list`?"),
        ("system message-queue lit", "did you mean `server-stub system message-queue list`?"),
        ("serve", "`server-stub serve` needs --dir: the folder of the stub"),
        ("serve --dir", "--dir needs a value: write it after --dir"),
        ("serve --dir x --prot 1", "`server-stub serve` has no option --prot; did you mean --port?"),
        ("serve --dir x --port imap", "--port takes a whole number from 0 to 65535, not 'imap'"),
        ("serve --dir x --host=", "--host: an address is needed, such as 127.0.0.1"),
        ("serve x --dir x", "`server-stub serve` takes no argument: leave out x"),
        ("--dir x serve", "--dir belongs after the command, as in `server-stub serve --dir DIR`"),
        ("fill --dir x 0", "N takes a whole number from 1 to 10000000, not '0'"),
        ("message-queue get --dir x", "needs MESSAGE_ID: the message's id; `message-queue list` shows it"),
        ("message-queue get --dir x 7", "MESSAGE_ID takes an id such as 6f1c2a3e-"),
        ("person send-reset-token --dir x", "needs ACCOUNT: the person's name or id"),
        ("person send-reset-token --dir x ellie --ttl 5m", "--ttl takes a whole number from 0 to"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_that_says_what_to_do(arguments: str, words: str) -> None:
    """Exit code 2, and no library's words; `tests/unit/cli/test_usage.py` has the other kinds."""
    done = command(*arguments.split())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("server-stub: ")
    assert words in done.stderr


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its libraries the command names them and the extra that brings them."""
    from server_stub import __main__ as start  # noqa: PLC0415 - imported under test

    monkeypatch.setattr(start, "find_spec", lambda name: None if name == "aiosmtpd" else object())
    with pytest.raises(SystemExit) as ended:
        start.main()
    assert "aiosmtpd" in str(ended.value.code)
    assert "mail-sender[stub]" in str(ended.value.code)


def test_json_output_is_what_a_program_reads(stub: Stub) -> None:
    """The reserialised list holds the entries of the wire."""
    stub.send_test("ellie")
    printed = json.loads(stub.run("message-queue", "list", "-o", "json").stdout)
    wire = stub.request("GET", "/scim/v1/Message").json()
    assert printed["resources"] == [entry | {"sent_at": None} for entry in wire["resources"]]
