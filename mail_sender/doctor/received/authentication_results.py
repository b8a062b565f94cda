"""Reads Authentication-Results (RFC 8601, section 2.2): what a receiving system found out about a mail.

Systems write it more loosely than the grammar allows: Microsoft's has no authserv-id, others leave out a semicolon.
Whatever stands there is read as far as it makes sense, and nothing raises.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mail_sender.doctor.received.lexical import Tokens, tokens, word

_MOST_METHODS = 100
_ARC_INSTANCE = re.compile(r"\s*i\s*=\s*\d+\s*;")


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method, such as spf, its result, such as pass, and what it was about, such as `smtp.mailfrom`.

    Names of methods, results and properties are in lower case.
    """

    method: str
    result: str
    reason: str = ""
    properties: tuple[tuple[str, str], ...] = ()

    def about(self, *names: str) -> str:
        """Return the first of these properties that is there, or an empty text."""
        return next((value for name in names for one, value in self.properties if one == name), "")


@dataclass(frozen=True, slots=True)
class AuthenticationResults:
    """One header field: who wrote it (empty if it does not say), and the results."""

    authserv_id: str
    results: tuple[MethodResult, ...]


def parse(value: str) -> AuthenticationResults:
    """Return what the value of a header field says."""
    segments = list(_segments(tokens(value, ";=")))
    authserv_id = ""
    head = segments[0] if segments else []
    if head and "=" not in head[:2]:  # else it begins with a result, as Microsoft's does
        authserv_id = word(head[0])
        segments[0] = head[1:] if "=" in head else []
    found = (_result(segment) for segment in segments)
    return AuthenticationResults(authserv_id, tuple(one for one in found if one)[:_MOST_METHODS])


def parse_arc(value: str) -> AuthenticationResults:
    """Return what an ARC-Authentication-Results says, which begins with its instance (RFC 8617, section 4.1.1)."""
    return parse(_ARC_INSTANCE.sub("", value, count=1))


def _segments(found: Tokens) -> Iterator[Tokens]:
    segment: Tokens = []
    for part in found:
        if part == ";":
            yield segment
            segment = []
        else:
            segment.append(part)
    yield segment


def _result(segment: Tokens) -> MethodResult | None:
    """Return the result of a segment, `method[/version] = result [reason = text] [type . property = value]...`."""
    pairs = _pairs(segment)
    if not pairs:
        return None
    method, result = pairs[0]
    reason = next((value for name, value in pairs if name == "reason"), "")
    properties = tuple((name, value) for name, value in pairs[1:] if name != "reason")
    return MethodResult(method.partition("/")[0], result.lower(), reason, properties)


def _pairs(segment: Tokens) -> list[tuple[str, str]]:
    """Return names and values; a name may have space around its dot or slash, and a value may hold an equals sign."""
    pairs: list[tuple[str, str]] = []
    name: list[str] = []
    waits = False
    for part in segment:
        if part == "=" and not waits and not name and pairs:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] + "=")
        elif part == "=":
            waits = bool(name)
        elif waits:
            pairs.append((_joined(name), word(part)))
            name, waits = [], False
        else:
            name.append(word(part))
    return pairs


def _joined(parts: list[str]) -> str:
    """Return a name from its last word, and those before it that a dot or a slash ties to it."""
    made = parts[-1]
    for part in reversed(parts[:-1]):
        if made[:1] not in {".", "/"} and part[-1:] not in {".", "/"}:
            break
        made = part + made
    return made.lower()
