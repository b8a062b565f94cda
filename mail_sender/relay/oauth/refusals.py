"""What a token endpoint's refusal means, and what to do: reads the table `known_refusals.toml`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mail_sender import toml
from mail_sender.relay.oauth.config import Flow

ADVICE = "check [relay.oauth] against what the provider shows of the app (docs/relays.md)"
"""What to do about a refusal that nobody knows."""

_TABLE = Path(__file__).with_name("known_refusals.toml")
_CODE = re.compile(r"AADSTS\d{4,8}")
_NAME = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Known:
    """A refusal by the name to look it up by, such as `invalid_client (AADSTS7000222)`; what it says; the cure."""

    name: str
    said: str
    advice: str
    passes: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table."""

    words: re.Pattern[str]
    flow: Flow | None
    said: str
    advice: str
    passes: bool
    example: str


@cache
def rules() -> Sequence[Rule]:
    """Return the table's rules in their order; it is read once, when the first refusal comes."""
    return tuple(
        Rule(
            re.compile(row["words"], re.IGNORECASE | re.DOTALL),
            Flow(row["flow"]) if "flow" in row else None,
            row["said"],
            row["advice"],
            row.get("passes", False),
            row["example"],
        )
        for row in toml.loads(_TABLE.read_text(encoding="utf-8"))["rules"]
    )


def known(flow: Flow, error: str, description: str) -> Known | None:
    """Return what an endpoint's `error` and `error_description` mean in this flow, None if nobody knows."""
    text = f"{error} {description}".strip()
    rule = next((rule for rule in rules() if rule.flow in {None, flow} and rule.words.search(text)), None)
    if rule is None:
        return None
    code = _CODE.search(description)
    name = error if _NAME.fullmatch(error) else "a refusal"  # anything else may be a secret that somebody quotes
    return Known(f"{name} ({code[0]})" if code else name, rule.said, rule.advice, rule.passes)
