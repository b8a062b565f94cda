"""Whether a relay's no is about the connection, so that a new connection may take the same mail at once.

Relays limit the mails of one connection, and say so at any step. Each answer here means that the mail was certainly
not taken over; the connection must have carried a mail before, or the answer would be the same on a new one.

    step                  answer                                                     the connection is used up
    MAIL                  4xx, a cut, silence, nonsense                              yes
    RCPT, DATA            421, a cut                                                 yes
    MAIL ... dot          4xx, 5xx that names the session or the connection          yes
    any                   anything else                                              no
"""

import re

from mail_sender.errors import causes
from mail_sender.relay.protocol import Rejected
from mail_sender.verdict import Reply, Stage

_NAMES_SESSION = re.compile(
    r"\b(session|transactions|closing)\b|re-?connect"
    r"|\b(this|per|each|one|single|same|current|new) (\w+ )?connection\b",
    re.IGNORECASE,
)


def names_session(reply: Reply) -> bool:
    """Say whether a refusal speaks of this connection, such as "maximum number of messages per session"."""
    return 400 <= reply.code < 600 and _NAMES_SESSION.search(reply.whole or reply.text) is not None


def is_used_up(stage: Stage, error: Exception) -> bool:
    """Say whether what a step raised means that a connection, which carried mail before, takes no more."""
    if isinstance(error, Rejected):
        reply = error.reply
        if names_session(reply):
            return stage.in_transaction
        if stage is Stage.MAIL:
            return not 500 <= reply.code < 600
        return reply.code == 421 and stage in {Stage.RCPT, Stage.DATA}
    return stage is Stage.MAIL or (stage in {Stage.RCPT, Stage.DATA} and isinstance(error, ConnectionError))


def is_said(error: Exception) -> bool:
    """Say whether the relay named the session as what it refuses."""
    return any(isinstance(cause, Rejected) and names_session(cause.reply) for cause in causes(error))
