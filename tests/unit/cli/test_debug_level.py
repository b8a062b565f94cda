"""`KANIDM_DEBUG` is read in each way that Kanidm's programs have taken it."""

import pytest

from mail_sender.cli.debug_level import wants_debug
from mail_sender.errors import UsageError

MORE = ["true", "1", "TRUE", "yes", "on", "debug", "trace", "Trace", " debug ", "verbose"]
USUAL = ["false", "0", "info", "INFO", "warn", "error", "no", "off", "", "quiet", "default"]


@pytest.mark.parametrize("value", [*MORE, *USUAL])
def test_a_level_and_a_yes_or_no_are_taken(value: str) -> None:
    """A Kanidm container's environment may hold either."""
    assert wants_debug({"KANIDM_DEBUG": value}) == (value in MORE)
    assert not wants_debug({})


@pytest.mark.parametrize("value", ["maybe", "2", "kanidm=debug"])
def test_anything_else_is_wrong_usage(value: str) -> None:
    """It is named, with what would be right."""
    with pytest.raises(UsageError, match=f"KANIDM_DEBUG is '{value}'"):
        wants_debug({"KANIDM_DEBUG": value})
