"""The product's network deadlines, shortened while cases with stalls run: ten minutes at the dot are no test.

They are module constants, the same for all cases that run at the same time; so cases are run in groups by `seconds`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from mail_sender.relay import channel, conversation
from mail_sender.verdict import Stage


@contextmanager
def deadlines(seconds: float) -> Iterator[None]:
    """Have every deadline of the deliver stage be so many real seconds, the farewell's half of that at most."""
    by_stage = dict.fromkeys((Stage.DATA, Stage.BODY, Stage.DOT), seconds)
    with (
        patch.multiple(conversation, _RESET_SECONDS=seconds, _QUIT_SECONDS=min(1.0, seconds / 2)),
        patch.multiple(channel, _COMMAND_SECONDS=seconds),
        patch.dict(channel._SECONDS, by_stage),
    ):
        yield
