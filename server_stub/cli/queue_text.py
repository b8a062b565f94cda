"""What `kanidm system message-queue` prints, from what the server answered (docs/kanidm-wire.md, The command line).

The JSON form is not the server's bytes: the real command decodes them and writes them anew, with the keys in its own
sequence and null for what was absent. An entry that it could not decode is shown as far as possible, followed by all
of its JSON.
"""

from __future__ import annotations

import re

from server_stub import timestamps
from server_stub.queue.entry import to_text

ORDER = ("schemas", "id", "message_template", "send_after", "delete_after", "sent_at", "mail_destination")
TEMPLATES = {"TestMessageV1": "test_message_v1", "CredentialResetV1": "credential_reset_v1"}
LABEL_WIDTH = 14
EVER = "1970-01-01T00:00:00Z"  # in the place of a time that may lack


def list_json(answer: object) -> str:
    """Return the whole list on one line."""
    if not isinstance(answer, dict):
        return to_text(answer)
    paging = {key: answer.get(key) for key in ("itemsPerPage", "startIndex")}
    entries = [_reserialised(entry) for entry in answer.get("resources", [])]
    head = {key: answer.get(key) for key in ("schemas", "totalResults")}
    return to_text({**head, **paging, "resources": entries})


def entry_json(entry: object) -> str:
    """Return one entry on one line."""
    return to_text(_reserialised(entry))


def list_text(answer: object) -> str:
    """Return a block and an empty line for each message."""
    entries = answer.get("resources", []) if isinstance(answer, dict) else []
    return "".join(f"{entry_text(entry)}\n" for entry in entries)


def entry_text(entry: object) -> str:
    """Return the block of one message, each line ended."""
    attributes = entry if isinstance(entry, dict) else {}
    rows = [
        ("message_id", str(attributes.get("id", "-"))),
        ("send_after", _time(attributes.get("send_after"), "-")),
        ("sent_at", _time(attributes.get("sent_at"), "queued")),
        ("delete_after", _time(attributes.get("delete_after"), "-")),
        ("template", _template(attributes.get("message_template"))),
        *(("to", address) for address in _addresses(attributes.get("mail_destination"))),
    ]
    if not _is_decodable(attributes):
        rows.append(("json", to_text(entry)))
    return "".join(f"{label + ':':{LABEL_WIDTH}}{_one_line(value)}\n" for label, value in rows)


def _is_decodable(entry: dict[str, object]) -> bool:
    """Tell whether Kanidm's command knows what the entry says."""
    template = entry.get("message_template")
    known = isinstance(template, dict) and len(template) == 1 and template.keys() <= TEMPLATES.keys()
    wanted = [entry.get(key) for key in ("send_after", "delete_after")] + [entry.get("sent_at", EVER)]
    times = all(timestamps.read(text) is not None for text in wanted)
    return known and times and "id" in entry and "-" not in (_addresses(entry.get("mail_destination")) or ["-"])


def _reserialised(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    known = {key: entry.get(key) for key in ORDER}
    known["mail_destination"] = [_destination(item) for item in _items(entry.get("mail_destination"))]
    return known | {key: value for key, value in entry.items() if key not in ORDER}


def _destination(item: object) -> object:
    return {"primary": item.get("primary", False), "value": item.get("value")} if isinstance(item, dict) else item


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _addresses(value: object) -> list[str]:
    return [str(item.get("value", "-")) for item in _items(value) if isinstance(item, dict)]


def _template(template: object) -> str:
    kinds = list(template) if isinstance(template, dict) else []
    return ", ".join(TEMPLATES.get(kind, f"unknown ({kind})") for kind in kinds) or "-"


def _time(value: object, absent: str) -> str:
    """Return `2026-11-20 22:46:23.471381168 +00:00:00`: no zero before the hour, at least one fraction digit."""
    time_ns = timestamps.read(value)
    if time_ns is None:
        return absent if value is None else str(value)
    date, _, clock = timestamps.write(time_ns).removesuffix("Z").partition("T")
    whole, _, fraction = clock.partition(".")
    return f"{date} {whole[0].removeprefix('0')}{whole[1:]}.{fraction or '0'} +00:00:00"


def _one_line(value: str) -> str:
    # Somebody's own words must not forge a further line or reach the terminal as commands.
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", value)
