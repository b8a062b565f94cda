"""Two clocks that differ, the machine's and the identity server's: which is wrong, as far as that is known."""

from dataclasses import dataclass
from datetime import timedelta

REPORTED = timedelta(minutes=5)
"""How far the machine's clock may be from the server's before it is reported."""


@dataclass(frozen=True, slots=True)
class Skew:
    """Which clock is wrong, what was seen, and what to do."""

    kind: str
    detail: str
    advice: str


def described(ahead: timedelta, *, servers_counts: bool) -> Skew:
    """Say how far the machine's clock is ahead of the server's, and which to set (`SteadyClock` says why).

    `servers_counts` says that the server's time is the one that is used.
    """
    direction = "ahead of" if ahead > timedelta(0) else "behind"
    detail = f"this machine's clock is {abs(ahead).total_seconds():.0f} s {direction} the identity server's"
    if servers_counts:
        return Skew("skew", detail, "set it; the server's time is used meanwhile")
    if ahead > timedelta(0):
        return Skew(
            "server_skew",
            detail,
            "but the server lists newer messages: set the clock of the server, or of the proxy in front of it; "
            "this machine's time is used meanwhile",
        )
    return Skew(
        "skew_unclear",
        detail,
        "set the one that is wrong (it may be that of a proxy in front of the server); "
        "the earlier time is used meanwhile, so that no link expires too soon",
    )
