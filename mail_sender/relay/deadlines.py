"""How long each step of a conversation with the relay may take, in seconds.

The name, the connection, TLS and the greeting share `mail_connect_timeout_seconds` of the configuration.
"""

from mail_sender.verdict import Stage

COMMAND = 60.0
"""Each reply up to RCPT."""
QUIT = 1.0
RESET = 5.0
"""RSET, before the next mail on a connection."""

_OF_STAGE = {
    Stage.DATA: 120.0,
    Stage.BODY: 180.0,
    # RFC 5321, section 4.5.3.2.6: a shorter one makes copies.
    Stage.DOT: 600.0,
}


def of(stage: Stage) -> float:
    """Return the deadline of a step after the greeting."""
    return _OF_STAGE.get(stage, COMMAND)
