"""A server gives the answers that a real Kanidm gave to the same requests, in the same order."""

from __future__ import annotations

import httpx

from tests.conformance.captures import Capture
from tests.conformance.likeness import differences
from tests.conformance.replay import Replay

Replayed = tuple[Replay, dict[str, httpx.Response]]


def test_a_captured_request_gets_the_captured_answer(replayed: Replayed, capture: Capture) -> None:
    """Status, the headers that matter and the body, key order included, are those of a real server."""
    replay, answers = replayed
    assert differences(capture, answers[capture.name], replay.known, replay.at.server.version) == []
