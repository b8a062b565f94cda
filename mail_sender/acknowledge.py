"""Acknowledge: tell the server what is sent, until it has heard it; never a reason for another mail.

Every message of which the ledger says that it is unmarked is told once a round. 404 means that the server does
not know the message any more, or that our account has lost its group: which of the two, the account's standing
tells. When the server cannot be reached the rest waits for the next round; one message that it chokes on does
not stop the others. A token that may not write is raised, since no mail may go out under it, and so is a Retry-After.
"""

from collections.abc import Sequence
from uuid import UUID

import structlog

from mail_sender.errors import MessageGone, ServerTrouble, Trouble
from mail_sender.ledger.base import Ledger
from mail_sender.source.base import Source

_log = structlog.get_logger()

_OF_THE_TOKEN = frozenset({Trouble.TOKEN_REFUSED, Trouble.TOKEN_READ_ONLY, Trouble.NOT_A_SENDER})
_OF_THIS_MESSAGE_PERHAPS = frozenset({Trouble.ERROR})


async def acknowledge(messages: Sequence[UUID], source: Source, ledger: Ledger) -> ServerTrouble | None:
    """Tell the server of these messages, and return what kept it from hearing of one of them.

    Raises `ServerTrouble` where the token may not write (any more), or the server asks to be left alone.
    """
    trouble = None
    for message in messages:
        try:
            await _tell(message, source, ledger)
        except ServerTrouble as error:
            if error.kind in _OF_THE_TOKEN or error.retry_after is not None:
                raise
            trouble = error
            if error.kind not in _OF_THIS_MESSAGE_PERHAPS:
                break
    return trouble


async def _tell(message: UUID, source: Source, ledger: Ledger) -> None:
    try:
        await source.mark_sent(message)
        _log.info("marked", message=message)
    except MessageGone:
        await source.standing()
        _log.warning("gone_before_mark", message=message, say="mailed, but the server does not know it any more")
    await ledger.marked(message)
