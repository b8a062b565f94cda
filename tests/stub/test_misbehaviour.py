"""Rules are read from TOML with a closed vocabulary, count by themselves, and say what they do and how often."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import pytest

from server_stub.errors import StubError
from server_stub.misbehaviour import api_rule, queue_faults, relay_rule
from server_stub.misbehaviour.active_rules import Misbehaviour
from server_stub.misbehaviour.relay_rule import RelayEvent
from server_stub.misbehaviour.rule import TURN_KEYS, Turns
from server_stub.queue.store import Store

ROOT = Path(__file__).parents[2]
KEYS = {*api_rule.KEYS, *relay_rule.KEYS, *queue_faults.KEYS}


def rules(text: str) -> Misbehaviour:
    misbehaviour = Misbehaviour()
    misbehaviour.set(text)
    return misbehaviour


@pytest.mark.parametrize(
    ("turns", "acting", "words"),
    [
        (Turns(), [1, 2, 3, 4, 5, 6, 7, 8, 9], "every time"),
        (Turns(times=1), [1], "once"),
        (Turns(times=3), [1, 2, 3], "3 times"),
        (Turns(after=7), [8, 9], "after the first 7"),
        (Turns(every=3), [3, 6, 9], "each 3rd time"),
        (Turns(after=1, every=4), [5, 9], "each 4th time, after the first 1"),
        (Turns(after=2, every=2, times=2), [4, 6], "2 times, each 2nd time, after the first 2"),
    ],
)
def test_a_rule_acts_on_its_turns(turns: Turns, acting: list[int], words: str) -> None:
    """Leave out `after`, act on each `every`th then, `times` times in all; and say so."""
    acted: list[int] = []
    for seen in range(1, 10):
        if turns.due(seen, len(acted)):
            acted.append(seen)
    assert (acted, turns.words) == (acting, words)


def test_rules_are_asked_from_the_top_to_the_first_that_settles_it() -> None:
    """The others count all the same, so that their turns come when the file says."""
    misbehaviour = rules(
        '[[api]]\ncall = "ready"\nstatus = 500\ntimes = 2\n'
        '[[api]]\ncall = "ready"\nstatus = 502\ntimes = 1\nafter = 2\n'
        '[[api]]\ncall = "any"\nlatency_ms = 5\nevery = 4\n'
    )
    acts = [misbehaviour.at_call("ready") for _ in range(4)]
    assert [(act.status, act.latency_ms) for act in acts] == [(500, 0), (500, 0), (502, 0), (None, 5)]
    assert [times for _, times in misbehaviour.fired()] == [2, 1, 1]


def test_what_slows_or_changes_a_stage_joins_what_settles_it() -> None:
    """Pauses add up, the slowest tarpit counts, and the reply of the first rule that has one is said."""
    misbehaviour = rules(
        '[[relay]]\nat = "rcpt"\nstall = 1\n[[relay]]\nat = "any"\ntarpit = 0.5\n'
        '[[relay]]\nat = "rcpt"\nstall = 2\nreply = "450 a"\n[[relay]]\nat = "rcpt"\nreply = "550 b"\n'
    )
    act = misbehaviour.at_stage(RelayEvent("rcpt", 0.0, recipients=("a@b",)))
    assert (act.stall, act.tarpit, act.reply) == (3.0, 0.5, "450 a")
    assert misbehaviour.at_stage(RelayEvent("body", 0.0)) == relay_rule.RelayAct()


def test_greylisting_knows_each_pair_of_sender_and_recipient() -> None:
    """Each has its own first try, in upper or lower case; what is refused counts as acted."""
    misbehaviour = rules("[[relay]]\ngreylist_seconds = 30\n")

    def refuses(now: float, sender: str, recipient: str) -> bool:
        return bool(misbehaviour.at_stage(RelayEvent("rcpt", now, sender, (recipient,))).reply)

    tries = [(0.0, "s@b", "e@b"), (20.0, "s@b", "bob@b"), (29.0, "S@b", "E@B"), (31.0, "s@b", "e@b")]
    later = [(31.0, "s@b", "bob@b"), (31.0, "other@b", "e@b"), (50.0, "s@b", "bob@b"), (999.0, "s@b", "e@b")]
    assert [refuses(*one) for one in tries + later] == [True, True, True, False, True, True, False, False]
    assert misbehaviour.fired() == [("Relay, rcpt: greylists for 30 s (every time)", 5)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[api", "this is not TOML: Expected"),
        ("[[aip]]", "there is no table `aip`: the nearest is `api`."),
        ("[api]\ncall = 'ready'", "`api` must be given as [[api]], in two brackets"),
        ("api = [1]", "[[api]] number 1 must be a table."),
        ("[[api]]\nstatus = 500", "[[api]] number 1 must say which `call`: ready, list"),
        ("[[api]]\ncall = 'redy'\nstatus = 500", "`call = 'redy'` is not possible: the nearest is `ready`."),
        ("[[api]]\ncall = 'ready'\nstauts = 500", "[[api]] number 1 has no key `stauts`: the nearest is `status`."),
        ("[[api]]\ncall = 'any'\nlatency_ms = 1\n[[api]]\ncall = 'get'", "[[api]] number 2 does nothing: give it"),
        (
            "[[api]]\ncall = 'get'\nstatus = 42",
            "`status = 42` is not possible: it must be a whole number from 200 to 599",
        ),
        ("[[api]]\ncall = 'get'\nstatus = true", "`status = true` is not possible"),
        ("[[api]]\ncall = 'get'\ncut = 'later'", "it may be before or in_body."),
        ("[[api]]\ncall = 'get'\nbody = 'pdf'", "it may be json, html, empty, truncated or huge."),
        (
            "[[api]]\ncall = 'get'\nstatus = 500\ncut = 'before'",
            "can do one of these: answer (status, body), cut, lose",
        ),
        ("[[api]]\ncall = 'get'\nlose_answer = 1", "`lose_answer = 1` is not possible: it must be true or false."),
        ("[[api]]\ncall = 'get'\nlatency_ms = 5\nretry_after = 5", "`retry_after = 5` is not possible: it needs"),
        (
            "[[api]]\ncall = 'get'\nstatus = 500\ntimes = 0",
            "`times = 0` is not possible: it must be a whole number from 1",
        ),
        ("[[relay]]\nat = 'rcpt'", "[[relay]] number 1 does nothing: give it one of reply, cut,"),
        ("[[relay]]\nat = 'dott'\ncut = true", "`at = 'dott'` is not possible: the nearest is `dot`."),
        ("[[relay]]\ncut = true", "[[relay]] number 1 must say `at` which stage: connect, tls,"),
        ("[[relay]]\nat = 'rcpt'\nlose_answer = true", "`at = 'rcpt'` is not possible: lose_answer can be at dot."),
        (
            "[[relay]]\nat = 'body'\nreply = '450 a'",
            "reply can be at connect, tls, ehlo, auth, mail, rcpt, data, dot",
        ),
        ("[[relay]]\nat = 'dot'\nreply = '250 ok'", "it must begin with a code from 400 to 599."),
        ("[[relay]]\nat = 'dot'\nreply = \"450 a\\r\\n250 b\"", "it must be a text of one line in ASCII."),
        ("[[relay]]\nat = 'dot'\nreply = '450 a'\ncut = true", "can do only one of reply and cut."),
        (
            "[[relay]]\nno_starttls = true\none_connection = true",
            "cannot do one_connection and no_starttls at the same",
        ),
        ("[[relay]]\nat = 'mail'\nrecipient = 'a@b'\ncut = true", "recipients are known at rcpt, data, body, dot;"),
        (
            "[[relay]]\nat = 'mail'\nstall = -1",
            "`stall = -1` is not possible: it must be a number of seconds above 0",
        ),
        ("[[relay]]\nat = 'mail'\nstall = [1]", "`stall = [1]` is not possible"),
        ("[[relay]]\ngreylist_seconds = inf", "`greylist_seconds = inf` is not possible"),
        ("[[relay]]\nclient_certificate = 'yes'", "it may be optional or required."),
        ("[queue]\nlaging_seconds = 3", "[queue] has no key `laging_seconds`: the nearest is `lagging_seconds`."),
        ("[queue]\nlagging_seconds = inf", "`lagging_seconds = inf` is not possible"),
        (
            "[queue]\nmalformed = 5000",
            "`malformed = 5000` is not possible: it must be a whole number from 1 to 1000.",
        ),
        ("queue = 3", "[queue] must be a table."),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(text: str, said: str) -> None:
    """It names the table and the key, and the nearest word there is; what was in force stays in force."""
    misbehaviour = rules('[[api]]\ncall = "any"\nstatus = 500\n')
    before = misbehaviour.text
    with pytest.raises(StubError) as error:
        misbehaviour.set(text)
    assert said in str(error.value)
    assert misbehaviour.text == before
    assert misbehaviour.at_call("ready").status == 500


def test_a_file_is_named_in_what_is_said_about_it(tmp_path: Path) -> None:
    """A broken, a missing and a foreign one."""
    file = tmp_path / "day.toml"
    for content, said in (
        (b"[[api]]\nx = 1", f"{file}: [[api]] number 1 has no key"),
        (b"\xff", f"{file} is not UTF-8"),
    ):
        file.write_bytes(content)
        with pytest.raises(StubError) as error:
            Misbehaviour.load(file)
        assert said in str(error.value)
    with pytest.raises(StubError, match=r"Cannot read the misbehaviour file .* \(No such"):
        Misbehaviour.load(tmp_path / "none.toml")
    assert Misbehaviour.load(None).text == ""


def test_setting_rules_anew_starts_the_counts_anew() -> None:
    """The text in force can be read back; `clear` ends all of it."""
    text = '[[api]]\ncall = "sent"\nstatus = 500\ntimes = 1\n'
    misbehaviour = rules(text)
    for _ in range(2):
        assert [misbehaviour.at_call("sent").status for _ in range(2)] == [500, None]
        assert misbehaviour.text == text
        misbehaviour.set(text)
    misbehaviour.clear()
    assert (misbehaviour.text, misbehaviour.fired(), misbehaviour.at_call("sent").status) == ("", [], None)


def test_each_rule_says_what_it_does_and_how_often_it_did() -> None:
    """In words for people, in the order of the file."""
    misbehaviour = rules(
        '[[api]]\ncall = "ready"\nstatus = 503\nretry_after = 5\nbody = "html"\ntimes = 2\n'
        '[[relay]]\nat = "rcpt"\nrecipient = "*@example.com"\nreply = "450 4.2.0 Later"\nstall = 1\nevery = 2\n'
        '[[relay]]\nat = "mail"\nstall = true\n'
        "[queue]\nlagging_seconds = 10\noverlapping_pages = true\nmalformed = 2\n"
    )
    misbehaviour.at_call("ready")
    assert misbehaviour.fired() == [
        ("API, ready: answers 503, html body, Retry-After 5 s (2 times)", 1),
        ("Relay, rcpt, *@example.com: replies 450 4.2.0 Later, stays silent for 1 s (each 2nd time)", 0),
        ("Relay, mail: stays silent for ever (every time)", 0),
        ("Queue: listings lag by 10 s", 1),
        ("Queue: pages overlap and miss entries", 1),
        ("Queue: adds malformed entries", 2),
    ]


def test_the_api_reads_how_its_listings_are_to_be() -> None:
    """Two switches of [queue] are the listing's own business; they go with the rules."""
    misbehaviour = rules("[queue]\nlagging_seconds = 2.5\noverlapping_pages = true\n")
    assert (misbehaviour.lagging_seconds, misbehaviour.overlapping_pages) == (2.5, True)
    misbehaviour.clear()
    assert (misbehaviour.lagging_seconds, misbehaviour.overlapping_pages) == (0.0, False)


def test_odd_entries_are_queued_once_when_rules_come_into_force(tmp_path: Path) -> None:
    """From the start and from the page; they are ordinary entries that are ready at once."""
    store = Store.open(tmp_path / "queue.sqlite", create=True)
    misbehaviour = rules("[queue]\nunknown_template = 1\nmalformed = 5\nmany_recipients = 1\nexpired_reset = 1\n")
    misbehaviour.queue_into(store.add)
    entries = [json.loads(body) for body in store.ready(time.time_ns() + 1)]
    unknown, *malformed, many, expired = entries
    assert list(unknown["message_template"]) == ["InvitationV9"]
    assert [one.get("message_template") for one in malformed[1:3]] == [
        None,
        {"TestMessageV1": {}, "CredentialResetV1": {}},
    ]
    assert "mail_destination" not in malformed[0]
    assert "mail_destination" not in malformed[4]
    assert malformed[3]["delete_after"] == "next week"
    assert [to["primary"] for to in many["mail_destination"]] == [True, False, False]
    assert 0 < expired["message_template"]["CredentialResetV1"]["expiry_time"] < time.time()
    misbehaviour.set("[queue]\nexpired_reset = 2\n")
    misbehaviour.set('[[api]]\ncall = "any"\nlatency_ms = 1\n')
    assert len(store.ready(time.time_ns() + 1)) == 10
    store.close()


def test_a_queue_that_takes_nothing_is_a_sentence(tmp_path: Path) -> None:
    """The rules stay as they were."""
    store = Store.open(tmp_path / "queue.sqlite", create=True)
    misbehaviour = rules("")
    misbehaviour.queue_into(store.add)
    store.close()
    with pytest.raises(StubError, match="could not be queued"):
        misbehaviour.set("[queue]\nmalformed = 1\n")
    assert misbehaviour.text == ""


def test_the_example_and_the_page_of_documentation_hold_the_whole_vocabulary() -> None:
    """Every key and every word is in the table of docs/misbehaviour.md; the example loads, and uses most of them."""
    documented = (ROOT / "docs" / "misbehaviour.md").read_text()
    words = {*KEYS, *api_rule.WORDS, *api_rule.BODIES, *api_rule.CUTS, *relay_rule.STAGES}
    assert sorted(word for word in words if f"`{word}`" not in documented) == []
    example = Misbehaviour.load(ROOT / "examples" / "misbehave.toml")
    assert len(example.fired()) >= 8


def test_the_bad_day_of_the_documentation_is_one() -> None:
    """What is shown there in TOML can be put into force."""
    documented = (ROOT / "docs" / "misbehaviour.md").read_text()
    _, *blocks = documented.split("```toml\n")
    assert blocks
    for block in blocks:
        assert rules(block.split("```")[0]).fired()


def test_seconds_are_seconds_even_if_there_is_one() -> None:
    """`stall = 1` is no other way to write true."""
    act = rules('[[relay]]\nat = "mail"\nstall = 1\n').at_stage(RelayEvent("mail", 0.0))
    assert act.stall == 1.0
    assert rules('[[relay]]\nat = "mail"\nstall = true\n').at_stage(RelayEvent("mail", 0.0)).stall == math.inf


def test_turns_can_stand_in_every_rule() -> None:
    """`after`, `every` and `times` belong to all calls and stages."""
    assert set(TURN_KEYS) <= set(api_rule.KEYS) & set(relay_rule.KEYS)
