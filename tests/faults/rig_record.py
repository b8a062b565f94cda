"""What a relay writes down: its connections, what was said on them, and the mails."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Heard(StrEnum):
    """Whether the client can have read the reply to its dot."""

    YES = "yes"
    NO = "no"
    PERHAPS = "perhaps"


@dataclass(frozen=True)
class Said:
    """One command: its verb, and its line as the client wrote it."""

    at: datetime
    step: str
    text: bytes


@dataclass(frozen=True)
class Mail:
    """One mail that the relay took: it has read its dot, and the reply was to be anything but a no.

    `message_id` is the header's text, `digest` the SHA-256 of the octets before the dot, dots taken off.
    """

    at: datetime
    connection: int
    sender: str
    recipient: str
    message_id: str
    digest: str
    heard: Heard


@dataclass
class Connection:
    """What happened on one connection; `clear` is what the client said without TLS, `tls` the version, if any.

    `implicit` says that TLS came first; `for_nobody` is what the client sent where no recipient was taken.
    """

    number: int
    at: datetime
    port: int
    implicit: bool = True
    tls: str | None = None
    clear: bytes = b""
    logged_in: bool = False
    commands: list[Said] = field(default_factory=list)
    for_nobody: list[bytes] = field(default_factory=list)
    up: int = 0
    down: int = 0
    ended: datetime | None = None

    def asked_for(self, recipient: str) -> list[datetime]:
        """Return when the client asked to send mail to a recipient."""
        return [said.at for said in self.commands if said.step == "RCPT" and f"<{recipient}>".encode() in said.text]

    def verbs(self) -> list[str]:
        """Return the commands' verbs, in order."""
        return [said.step for said in self.commands]
