"""Odd values, and ways to damage good ones: what each target's cases are made of.

Mutations of good examples get further into a program than noise does; noise finds what nobody thinks of.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from hypothesis import strategies as st

TEXTS: Sequence[str] = (
    "", " ", "\t", "\n", "\r\n", "\0", "a\0b", "x\ny", "\x1b[31mred", "\x7f", "\x85", "\u2028", "\ufeff", "\u200b", "\u202e",
    "0", "-1", "true", "null", "None", "{}", "[]", "%", "%s", "%d%n", "{0}", "{{ 7*7 }}", "{% if %}", "${HOME}", "$(id)",
    "'", '"', "\\", "\\\\", "`id`", "<script>", "&amp;", "#", ";", "=", "==", "=?utf-8?q?=41?=", "=?x", "?=",
    "@", "a@", "@b", "a@b", "a@b@c", "a b@c.d", '"a b"@c.d', "a@[127.0.0.1]", "a@[::1]", "a@xn--a", "é@ü.example", "a@b..c", "<a@b.c>",
    ".", "..", "../..", "/", "//", "~", "a/b", "C:\\x", "file:///etc/passwd", "://", "http://", "https://", "http:///x", "https://[", "https://]",
    "https://[::1", "https://[::1]:99999", "https://h:0", "https://h:port", "https://h:65536", "https://user:pw@h", "https://\u2100.example",
    "smtp://", "smtps://", "smtps://h:0", "smtp://u:p@h:25/x?y#z", "smtp://@", "smtp://:@h", "unix:", "unix:/", "unix:x", "[::1]:25", "1:2:3", "h:99999999999",
    "127.0.0.1", "256.1.1.1", "::", "fe80::1%eth0", "localhost", "xn--", "xn--a", "a" * 64, "a" * 300, "ß", "İ", "ſ", "ﬀ", "\u0130.example", "\U0001f600",
    "* * * * * *", "*/0 * * * * *", "60 * * * * *", "* * 31 2 * *", "@hourly", "@reboot", "0 0 0 1 1 * 1970", "*/99999999999 * * * * *", "L * * * * *", "H * * * * *",
    "1e400", "9" * 400, "2026-13-01", "NaN", "\u0661\u0662", "²", "٣:٤", "\udcff", "\ud800",
)  # fmt: skip

texts = st.one_of(
    st.sampled_from(TEXTS),
    st.text(max_size=40),
    st.lists(st.sampled_from(TEXTS), min_size=2, max_size=4).map("".join),
    st.builds(lambda text, times: text * times, st.sampled_from(TEXTS), st.sampled_from((1, 2, 100, 5_000))),
)
numbers = st.one_of(
    st.integers(-2, 70_000),
    st.sampled_from((2**31, 2**63, 2**64, -(2**63) - 1, 10**30)),
    st.floats(),
)
times = st.one_of(st.datetimes(), st.dates(), st.times(), st.datetimes(timezones=st.just(UTC)))
plain = st.one_of(texts, numbers, st.booleans())


def values(leaves: st.SearchStrategy[Any] = plain) -> st.SearchStrategy[Any]:
    """Return any value that is made of such leaves."""
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=5
    )


def variants(good: object, leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return values near a good one: one that takes its place, a list with more or fewer in it, its type as a text."""
    near: list[Any] = [[good], {"x": good}, str(good), f"{good}\n", f" {good}", f"{good}\0"]
    if isinstance(good, str) and good:
        near += [good.upper(), good[:-1], good * 2, good[::-1], good[len(good) // 2 :]]
    if isinstance(good, list):
        near += [good * 2, good[:1], [*good, None], dict.fromkeys(map(str, good), 1)]
    return st.one_of(leaves, st.sampled_from(near), values(leaves))


@st.composite
def changed(
    draw: st.DrawFn, good: Mapping[str, Any], keys: Sequence[str], leaves: st.SearchStrategy[Any], most: int = 4
) -> Any:
    """Return a nested table after a few changes: values replaced, taken out, added, or moved to another table."""
    made = _copy(good)
    for _ in range(draw(st.integers(0, most))):
        tables = _tables(made)
        table = tables[draw(st.integers(0, len(tables) - 1))]
        is_known = draw(st.booleans()) and len(table) > 0
        key = draw(st.sampled_from(sorted(table) if is_known else keys))
        match draw(st.sampled_from(("replace", "take out", "near", "move", "rename"))):
            case "replace":
                table[key] = draw(variants(table.get(key, ""), leaves))
            case "take out":
                table.pop(key, None)
            case "near":
                table[key] = draw(leaves)
            case "move" if key in table:
                tables[draw(st.integers(0, len(tables) - 1))][draw(st.sampled_from(keys))] = table.pop(key)
            case "rename" if key in table:
                table[draw(texts)] = table.pop(key)
            case _:
                table[draw(texts)] = draw(values(leaves))
    return made


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(one) for key, one in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value


def _tables(value: Any) -> list[dict[str, Any]]:
    """Return a table and all tables in it, in lists too."""
    if isinstance(value, dict):
        return [value, *(table for one in value.values() for table in _tables(one))]
    return [table for one in value for table in _tables(one)] if isinstance(value, list) else []


@st.composite
def damaged(draw: st.DrawFn, good: bytes, tokens: Sequence[bytes], most: int = 4) -> bytes:
    """Return octets after a few damages: some taken out, doubled, swapped, overwritten, or put between."""
    made = good
    for _ in range(draw(st.integers(0, most))):
        at, end = sorted((draw(st.integers(0, len(made))), draw(st.integers(0, len(made)))))
        end = min(end, at + draw(st.sampled_from((0, 1, 2, 8, 60, 10_000))))
        new = draw(st.one_of(st.sampled_from(tokens), st.binary(max_size=4)))
        match draw(st.sampled_from(("put", "take out", "double", "overwrite", "cut"))):
            case "put":
                made = made[:at] + new + made[at:]
            case "take out":
                made = made[:at] + made[end:]
            case "double":
                made = made[:end] + made[at:end] * draw(st.sampled_from((1, 2, 50))) + made[end:]
            case "overwrite":
                made = made[:at] + new + made[at + len(new) :]
            case _:
                made = made[:at]
    return made
