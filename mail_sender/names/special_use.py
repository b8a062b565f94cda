"""Domains that are not of the public DNS: for use inside, for tests, and the examples' own."""

import re

_EXAMPLE = re.compile(r"(?:.*\.)?example\.(?:com|net|org)\.?", re.IGNORECASE)  # RFC 2606, section 3
# RFC 6761 and RFC 8375, and what companies use inside.
_PRIVATE = re.compile(
    r".*\.(?:test|example|invalid|localhost|local|internal|lan|home|corp|arpa|onion|alt|intranet|private)\.?",
    re.IGNORECASE,
)


def is_example(host: str) -> bool:
    """Say whether a name is one that documents use: example.com and its kin, and what is below them."""
    return _EXAMPLE.fullmatch(host) is not None


def is_public(host: str) -> bool:
    """Say whether a name is one of the public DNS: no address, nothing private, no example."""
    labels = host.rstrip(".").split(".")
    is_name = len(labels) > 1 and not set(":[]") & set(host) and not labels[-1].isdigit()
    return is_name and not _PRIVATE.fullmatch(host) and not is_example(host)
