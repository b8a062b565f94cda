"""What well-known relays really answer, and the verdict of the table of stages on a reply."""

from pathlib import Path

from mail_sender.names.secret import Secret
from mail_sender.relay import replies
from mail_sender.relay.channel import Rejected
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.relay_url import Security
from mail_sender.verdict import Blame, Reply, Stage, Verdict

CONFIG = RelayConfig(
    "relay.example", 465, Security.IMPLICIT, "client.example", username="mail-sender", password=Secret("secret")
)


def _known() -> list[tuple[Blame, Stage, Reply]]:
    table = Path(__file__).parents[1] / "unit" / "relay" / "replies.tsv"
    rows = (line.split("\t") for line in table.read_text("utf-8").splitlines())
    return [(Blame[found.upper()], Stage[stage.upper()], Reply(int(code), text)) for found, stage, code, text in rows]


KNOWN = _known()
"""Whose fault it is, the stage, the reply."""


def on(stage: Stage, answer: str | Exception) -> Verdict:
    """Return the verdict on a reply, or on what came in its place."""
    if isinstance(answer, str):
        code, _, text = answer.partition(" ")
        answer = Rejected(Reply(int(code), text))
    return replies.verdict(stage, answer, CONFIG, CONFIG.security)
