"""`KANIDM_DEBUG`: whether more is logged, in each way that Kanidm's programs have taken it."""

from collections.abc import Mapping

from mail_sender.errors import UsageError

_VARIABLE = "KANIDM_DEBUG"
# Today's clients take true and false. Servers took a level: today's names, and those of the first versions.
_MORE = frozenset({"true", "1", "yes", "on", "t", "y", "debug", "trace", "filter", "verbose", "perffull"})
_USUAL = frozenset({"false", "0", "no", "off", "f", "n", "", "info", "warn", "warning", "error", "quiet", "default"})


def wants_debug(environment: Mapping[str, str]) -> bool:
    """Say whether the environment asks for more. Raises `UsageError` for what no program of Kanidm's has taken."""
    value = environment.get(_VARIABLE, "").strip().lower()
    if value not in _MORE | _USUAL:
        raise UsageError(f"{_VARIABLE} is {value[:40]!r}: expected true or false, or a level such as info or debug")
    return value in _MORE
