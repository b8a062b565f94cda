"""The facts of a running sender that its configuration fixes: where it works, and what of it expires."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from socket import gethostname

from mail_sender import __version__


@dataclass(frozen=True, slots=True)
class Process:
    """The running process."""

    version: str = __version__
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=gethostname)


@dataclass(frozen=True, slots=True)
class RelayFacts:
    """What one configuration says of a relay: where it is, how TLS starts there, in words, and whether we log in.

    `token_ends` gives the end of the OAuth token in use, None where there is none (yet).
    """

    place: str
    security: str
    login: bool
    token_ends: Callable[[], datetime | None] = field(default=lambda: None)


@dataclass(frozen=True, slots=True)
class Facts:
    """What one configuration says; `relays` has the first one first, then its fallbacks.

    `expiries` gives the ends, by name, that are known so far.
    """

    server: str
    relays: Sequence[RelayFacts]
    expiries: Callable[[], Mapping[str, datetime]] = dict
