"""The commands by which a Kanidm gets the sender's account, group and token (docs/kanidm-wire.md, Who may do what).

They are those of Kanidm 1.7 and newer. Some of its words changed since older versions, which had no message queue.
"""

import re
import shlex
from collections.abc import Iterator

ACCOUNT = "mail-sender"
GROUP = "idm_message_senders"
_NAME = re.compile(r"[a-z][a-z0-9._-]{1,62}")


class BadAccount(ValueError):
    """The text cannot be the name of an account; the message says what would be right."""


def checked(account: str) -> str:
    """Return the name of an account in lower case, as Kanidm has it. Raises `BadAccount`."""
    if not _NAME.fullmatch(account.lower()):
        raise BadAccount("expected a name of a-z, 0-9, . _ and -, with a-z first, such as mail-sender")
    return account.lower()


def commands(account: str) -> Iterator[str]:
    """Yield the commands for an account, each one line for a shell."""
    yield shlex.join(["kanidm", "service-account", "create", account, "Mail Sender", "idm_admins"])
    yield shlex.join(["kanidm", "group", "add-members", GROUP, account])
    yield shlex.join(
        ["kanidm", "service-account", "api-token", "generate", account, "mail sender token", "--readwrite"]
    )
