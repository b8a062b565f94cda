"""What `template list` shows a person: the entries of the inventory as lines."""

from collections.abc import Iterable, Iterator

from mail_sender.preview.inventory import Entry

_VARIABLE, _PART = 24, 16


def lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the lines of a list, a heading where something else begins."""
    heading = ""
    for entry in entries:
        if "kind" in entry:
            yield from _kind(entry)
            continue
        begins, line = _language(entry) if "language" in entry else _unused(entry)
        if begins != heading:
            yield from ("", begins) if heading else (begins,)
            heading = begins
        yield line


def count(number: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _kind(entry: Entry) -> Iterator[str]:
    yield entry["kind"] or "every kind"
    every = {language for part in entry["parts"] for language in part["languages"]}
    for part in entry["parts"]:
        spoken = "every language" if set(part["languages"]) == every else ", ".join(part["languages"])
        yield f"  {part['part']:{_PART}}{_file(part)} ({spoken})"
    yield "  variables"
    for name, meaning in entry["variables"].items():
        yield f"    {name:{_VARIABLE}}{meaning}"
    yield ""


def _file(part: Entry) -> str:
    if part["file"] is None:
        return "missing"
    return str(part["file"]) if part["yours"] else "ours"


def _language(entry: Entry) -> tuple[str, str]:
    reviewed = "reviewed" if entry["reviewed"] else "not reviewed by a native speaker"
    return "languages", f"  {entry['language']:{_PART}}{reviewed}{'; ' if entry['yours'] else ''}{entry['yours']}"


def _unused(entry: Entry) -> tuple[str, str]:
    return "files that nothing uses", f"  {entry['unused']}{'; ' if entry['hint'] else ''}{entry['hint']}"
