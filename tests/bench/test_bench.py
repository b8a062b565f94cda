"""The parts of the benchmark: doubles that speak properly, drains that are complete, figures that are right."""

import math
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mail_sender.source.list_answer import ListAnswer
from mail_sender.source.wire import Reading
from tests.bench import __main__ as command_line
from tests.bench import drain, latency, replicas, table
from tests.bench.cases import AIMS, HEAD, KANIDMD, LATENCY, Figures
from tests.bench.doubles import Behaviour, Event, running
from tests.bench.drain import Load, Result
from tests.bench.entries import message_id, number_of, recipient
from tests.bench.profiled import Sampler
from tests.bench.relay import OFFERS, Conversation, Taken
from tests.bench.server import MOST_LISTED, Queue
from tests.support.postgres import Postgres

MAILS = 20
DEADLINE = 20.0

# The doubles


def test_commands_that_come_together_are_answered_together() -> None:
    """RFC 2920: a relay that offers PIPELINING answers each command, in sequence; the mail follows the 354."""
    relay = Conversation()
    assert b"250-PIPELINING\r\n" in relay.receive(b"EHLO idm.example.com\r\n")
    three = b"MAIL FROM:<idm@example.com>\r\nRCPT TO:<ellie@example.com>\r\nDATA\r\n"
    assert relay.receive(three) == b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n"
    assert relay.receive(b"Subject: x\r\nMessage-ID: <1@idm>\r\n\r\nMAIL FROM:\r\n.\r") == b""
    assert relay.receive(b"\nQUIT\r\nNOOP\r\n") == b"250 2.0.0 queued as BENCH\r\n221 2.0.0 bye\r\n"
    assert relay.taken == [Taken("ellie@example.com", "<1@idm>")]
    assert relay.has_ended


def test_an_extension_that_is_not_offered_is_not_named() -> None:
    """`--without` takes one away, and the last line of the reply stays its last."""
    without = tuple(offer for offer in OFFERS if offer != "PIPELINING")
    said = Conversation(without).receive(b"EHLO idm.example.com\r\n")
    assert b"PIPELINING" not in said
    assert [line[3:4] for line in said.splitlines()] == [b"-"] * len(without) + [b" "]


def test_a_queue_is_listed_as_the_source_reads_it(tmp_path: Path) -> None:
    """Each message once, to its own address; a mark takes it off the list, and a second one changes nothing."""
    with (tmp_path / "record").open("wb") as record:
        queue = Queue(record.fileno(), 0, 0)
        queue.add(3)
        queue.mark(message_id(1))
        queue.mark(message_id(1))
        status, body = queue.listed({})
    reading = Reading()
    for one in ListAnswer().feed(body.decode()):
        reading.take(one)
    assert (status, reading.new) == (200, 2)
    assert [one.recipients for one in reading.listing().messages] == [(recipient(0),), (recipient(2),)]
    assert (tmp_path / "record").read_text().count("marked") == 1
    assert number_of(message_id(2)) == 2


def test_a_long_queue_is_listed_in_pages_only(tmp_path: Path) -> None:
    """As Kanidm does it (docs/kanidm-wire.md, Listing the queue); the last page ends the list."""
    with (tmp_path / "record").open("wb") as record:
        queue = Queue(record.fileno(), 0, 0)
        queue.add(MOST_LISTED)
        assert queue.listed({})[0] == 200
        queue.add(1, is_fresh=True)
        assert queue.listed({}) == (500, b'"backend"')
        for start in (1, MOST_LISTED - 1):
            status, body = queue.listed({"count": ["10"], "startIndex": [str(start)]})
            sent: list[bytes] = []
            queue.send_list(sent.append, body)
            assert (status, b"".join(sent)) == (200, body)
    words = [line.split()[1:] for line in (tmp_path / "record").read_text().splitlines()]
    assert words == [["listed", message_id(MOST_LISTED)], ["list", "3"]]


def test_an_entry_is_sent_before_the_list_that_holds_it(tmp_path: Path) -> None:
    """It is recorded when its piece of the list has been sent, however long the rest of it takes."""
    pieces: list[bytes] = []
    with (tmp_path / "record").open("wb") as record:
        queue = Queue(record.fileno(), 0, 0)
        queue.add(1, is_fresh=True)
        queue.add(300)
        began: list[int] = []

        def send(piece: bytes) -> None:
            pieces.append(piece)
            began.append(time.monotonic_ns())

        queue.send_list(send, queue.listed({})[1])
    listed, whole = [line.split() for line in (tmp_path / "record").read_text().splitlines()]
    assert (listed[1:], whole[1:]) == (["listed", message_id(0)], ["list", "301"])
    assert message_id(0).encode() in pieces[0]
    assert began[0] <= int(listed[0]) <= began[1] <= began[-1] <= int(whole[0])


# Drains


def test_the_sender_drains_a_queue_to_its_end(tmp_path: Path) -> None:
    """All mails are accepted, each once, and their messages marked; and what it took is counted."""
    with running(tmp_path, Behaviour()) as doubles:
        result = drain.by_sender(doubles, Load(MAILS))
        whole = {recipient(number) for number in range(drain.WARM + MAILS)}
        assert {event.what[0] for event in doubles.accepted} == whole
        assert set(Counter(event.what[1] for event in doubles.accepted).values()) == {1}
        assert {recipient(number_of(event.what[0])) for event in doubles.marked} == whole
    assert result.mails == MAILS
    assert min(result.seconds, result.cpu, result.peak - 20, result.peak - result.at_end + 1) > 0


@pytest.mark.debian("postgresql")
def test_two_senders_drain_a_queue_together(tmp_path: Path, postgres: Postgres) -> None:
    """All mails are accepted, each once, and marked; what both took is summed up, and what the database took is counted."""
    with running(tmp_path, Behaviour(reply_ms=5)) as doubles:
        result = replicas.by_replicas(doubles, Load(MAILS), postgres, 2)
        whole = {recipient(number) for number in range(2 * drain.WARM + MAILS)}
        assert Counter(event.what[0] for event in doubles.accepted) == dict.fromkeys(whole, 1)
        assert {recipient(number_of(event.what[0])) for event in doubles.marked} == whole
    assert min(result.seconds, result.cpu, result.peak - 20, result.database_busy) > 0


def test_the_bare_loop_drains_a_queue_to_its_end(tmp_path: Path) -> None:
    """Else it would be no measure; it says itself what it used."""
    with running(tmp_path, Behaviour(reply_ms=1)) as doubles:
        result = drain.by_bare_loop(doubles, Load(MAILS, 2))
        assert len(doubles.accepted) == len({event.what[0] for event in doubles.accepted}) == MAILS
        assert len(doubles.marked) == MAILS
    assert min(result.seconds, result.cpu, result.peak) > 0


def test_the_profiler_sees_who_uses_the_cpu(tmp_path: Path) -> None:
    """A function that works is seen, in the room that it works for; the profiler looks only once there is the file."""
    sampler = Sampler(tmp_path / "begins")
    sampler.start()
    begun = time.process_time()
    _work_until(lambda: time.process_time() > begun + 0.02)
    assert not sampler.rooms
    (tmp_path / "begins").touch()
    _work_until(lambda: bool(sampler.rooms))
    assert "%  bench/test_bench.py:_work_until" in sampler.end()


def _work_until(is_enough: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE
    while not is_enough() and time.monotonic() < until:
        sum(range(1000))


# Figures


def _result(mails: int = 100, seconds: float = 1.0, cpu: float = 0.5) -> Result:
    return Result(mails, seconds, cpu, 60.0, 50.0, 0.1, 0.05)


def test_a_figure_is_a_ratio_of_medians() -> None:
    """One slow turn changes nothing."""
    ours = [_result(seconds=2.0, cpu=0.6), _result(seconds=9.0, cpu=0.9), _result(seconds=2.0, cpu=0.6)]
    found = Figures({(HEAD.name, "sender"): ours, (HEAD.name, "bare loop"): [_result()] * 3})
    assert found.of(HEAD, "sender", "rate") == 50
    assert found.ratio("rate", HEAD, to=(HEAD, "bare loop")) == 0.5
    assert found.ratio("cpu_per_mail", HEAD, to=(HEAD, "bare loop")) == pytest.approx(1.2)
    rows = list(table.aims(found, [aim for aim in AIMS if aim.case is HEAD]))[2:]
    assert [row.split(" | ")[3:] for row in rows] == [["0.50", "**no** |"], ["1.20", "yes |"]]


def test_what_latency_and_connections_allow() -> None:
    """16 connections that wait for 20 ms twice a mail take 400 mails/s; of a server's marks, each is one mail."""
    found = Figures({(LATENCY.name, "sender"): [_result(400)], (KANIDMD.name, "sender"): [_result(47)]})
    assert found.of_possible(LATENCY) == pytest.approx(1.0)
    assert found.of_marks(KANIDMD) == pytest.approx(0.2)


def test_what_was_not_measured_is_said() -> None:
    """No row pretends to be reached."""
    found = Figures({})
    assert all(line.endswith("| not run | - |") for line in list(table.aims(found, AIMS))[2:])
    assert "not run" in list(table.drains(found, [HEAD]))[2]
    assert table.not_run(["smtp-source"]) == "Not installed, so not run: smtp-source."


def test_replicas_are_compared_with_the_first_row_of_their_load() -> None:
    """Of the rows of one load, the first one is the measure."""
    found = {replicas.NEAR[0]: [_result()], replicas.NEAR[1]: [_result(50)], replicas.FAR[0]: [_result(10)]}
    rows = [row.split(" | ") for row in list(table.replicas(found))[2:]]
    assert [(row[0], row[1], row[3], row[4]) for row in rows] == [
        ("| SQLite", "1", "100", "1.00"),
        ("| PostgreSQL", "1", "50", "0.50"),
        ("| PostgreSQL", "1", "10", "1.00"),
    ]


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.51, 3), (0.99, 4), (1.0, 4), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    """Nearest rank: half of the values are at most the median."""
    assert latency.percentile([4, 1, 3, 2], share) == value


def test_a_message_waits_from_its_entry_and_from_the_end_of_its_list() -> None:
    """It was on a page before; who waits for ever is in the percentiles, too."""
    listed = [Event(1.0, [message_id(number)]) for number in (1, 2)]
    lists = [Event(0.5, ["0"]), Event(1.5, ["3"]), Event(2.5, ["3"])]
    accepted = [Event(1.75, [recipient(1), "<1@idm>"])]
    assert latency.waits(listed, lists, accepted, 3) == [(0.75, 0.25), *[(math.inf, math.inf)] * 2]
    row = "| idle relay | 2 | 250 ms | not in time | not in time | not in time | 50%: 300 ms, 90%: 900 ms | **no** |"
    assert list(table.waits([table.Waits("idle relay", [0.25, math.inf], {0.5: 300, 0.9: 900})]))[2] == row


def test_the_page_holds_what_make_bench_prints() -> None:
    """`--write` puts tables between its marks and touches nothing else; each aim has its row on the page."""
    marks = (command_line.BEGIN, command_line.END)
    assert command_line.with_tables(
        "a\n{}\nold\n{}\nb\n".format(*marks), "new\n"
    ) == "a\n{}\n\nnew\n\n{}\nb\n".format(*marks)
    page = command_line.PAGE.read_text()
    rows = page[page.index(marks[0]) : page.index(marks[1])].splitlines()
    assert [aim.name for aim in AIMS if not any(row.startswith(f"| {aim.name} | ") for row in rows)] == []
