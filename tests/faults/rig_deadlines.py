"""The product's network deadlines, shortened while cases with stalls run: ten minutes at the dot are no test.

They are module constants, the same for all cases that run at the same time; so cases are run in groups by `seconds`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from mail_sender.relay import deadlines as relay_deadlines
from mail_sender.verdict import Stage


@contextmanager
def deadlines(seconds: float) -> Iterator[None]:
    """Have every deadline of the room relay be so many real seconds, the farewell's half of that at most."""
    by_stage = dict.fromkeys((Stage.DATA, Stage.BODY, Stage.DOT), seconds)
    with (
        patch.multiple(relay_deadlines, GREETING=seconds, COMMAND=seconds, RESET=seconds, QUIT=min(1.0, seconds / 2)),
        patch.dict(relay_deadlines._OF_STAGE, by_stage),
    ):
        yield
