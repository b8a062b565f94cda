"""What Kanidm would refuse, as a sentence for the person at the page: what is missing, and what to do.

The API and the commands answer in Kanidm's own words; here they stand at the end, for those who look for them.
"""

from __future__ import annotations

from server_stub.errors import NO_MATCH, OperationError

NO_ADDRESS = "has no mail address: choose somebody else, or give one in a file for --people"
_SENTENCES = {
    "missingattribute mail": NO_ADDRESS,
    "cu0008accountmissingemail": NO_ADDRESS,
    "missingattribute displayname": "has no displayname: choose somebody else, or give one in the file of --people",
    NO_MATCH: "is not there (any more): reload the page",
}


def sentence(error: OperationError, who: str) -> str:
    """Return why it was refused; `who` is the person or the entry that the button was about."""
    words = _words(error.body)
    reason = _SENTENCES.get(words, "is refused")
    return f"{who} {reason} (Kanidm's answer: {error.status} {words})."


def _words(body: object) -> str:
    """Return Kanidm's words without JSON's brackets and quotes: `missingattribute mail`."""
    if isinstance(body, dict):
        return " ".join(f"{key} {_words(value)}" for key, value in body.items())
    if isinstance(body, list):
        return ", ".join(map(_words, body))
    return str(body)
