"""Tag lists, `v=DKIM1; k=rsa; p=...`, as DKIM keys and DMARC records are written (RFC 6376, section 3.2)."""

import re

from mail_sender.doctor.domain.answer import quoted

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class BadTags(ValueError):
    """The text is no tag list; the message says where."""


def tags(text: str) -> dict[str, str]:
    """Return the tags by their names, in their order. Raises `BadTags`, also for a tag that stands there twice."""
    found: dict[str, str] = {}
    parts = text.split(";")
    if not parts[-1].strip():
        parts.pop()
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not _NAME.fullmatch(name):
            raise BadTags(f"{quoted(part.strip(), 40)} is no tag (name=value, with ; between tags)")
        if name in found:
            raise BadTags(f"{name}= stands there twice")
        found[name] = value.strip()
    return found
