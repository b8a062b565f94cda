"""Whether the commands of a mail go to the relay as one group (RFC 2920), where it offers PIPELINING.

    a group                                          what follows
    came through: every reply came, yes or no        groups go on
    broke (a cut, silence, nonsense), and none had   one command at a time is tried, with the same mail at once
    come through before; or the relay said that
    groups are why
    broke, while others had come through             the same once a later connection's group breaks as well

    one command at a time, tried after that
    came through                                     it stays so: the relay, or something before it, breaks groups
    broke as well                                    groups go on: they were not why

Some proxies and firewalls let PIPELINING through and drop what comes behind the first command.
"""

import re

import structlog

from mail_sender.verdict import Reply

_log = structlog.get_logger()

_NAMES_PIPELINING = re.compile(r"pipelin|synchroni[sz]ation|out of sync", re.IGNORECASE)


def names_pipelining(reply: Reply) -> bool:
    """Say whether a refusal speaks of commands that came together, such as "improper command pipelining"."""
    return 400 <= reply.code < 600 and _NAMES_PIPELINING.search(reply.whole or reply.text) is not None


class Pipelining:
    """What is known of a relay that offers it. All times are monotonic, in seconds."""

    def __init__(self) -> None:
        self._has_worked = False
        self._broke_at: float | None = None
        self._is_suspected = False
        self._is_certain = False

    @property
    def is_used(self) -> bool:
        """Whether commands go as a group."""
        return not self._is_suspected

    def came_through(self, *, grouped: bool) -> None:
        """Take in that each command of a mail got a reply."""
        if grouped:
            self._has_worked, self._broke_at = True, None
        elif self._is_suspected and not self._is_certain:
            self._is_certain = True
            sentence = "the relay offers PIPELINING and breaks when it is used: commands go one at a time now"
            _log.info("relay_pipelining", message=sentence)

    def broke(self, opened_at: float, now: float, *, is_said: bool) -> bool:
        """Take in that a group broke on a connection opened at that time; say whether groups may be why.

        Connections that were open when another one broke tell nothing new: the relay may have been restarted.
        """
        if not self._has_worked or is_said or (self._broke_at is not None and opened_at > self._broke_at):
            self._is_suspected = True
        elif self._broke_at is None:
            self._broke_at = now
        return self._is_suspected

    def broke_alone(self) -> None:
        """Take in that a conversation broke in which commands went one at a time."""
        if not self._is_certain:
            self._is_suspected, self._broke_at = False, None
