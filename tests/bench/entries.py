"""The queue of a benchmark: message `number` of it, the same one for who lists it and for who looks for it.

Each is a reset link for an address of its own, so that no mail waits for another one to the same address.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

_FIRST = 0x6D61696C_0000_4000_8000_000000000000

_LISTED = (
    b'{"schemas":[],"id":"%s","class":["object","outbound_message"],"delete_after":"%s",'
    b'"mail_destination":[{"primary":true,"value":"%s"}],"message_template":{"CredentialResetV1":'
    b'{"display_name":"Ellie Example %d","expiry_time":%d,"intent_id":"pp2qd-a5bd5-r953u-%05d"}},"send_after":"%s"}'
)


def message_id(number: int) -> str:
    """Return the id of a message."""
    return str(UUID(int=_FIRST + number))


def recipient(number: int) -> str:
    """Return the address of a message."""
    return f"ellie{number}@example.com"


def number_of(message: str) -> int:
    """Return the number of the message with this id."""
    return UUID(message).int - _FIRST


def entry(number: int, now: datetime) -> bytes:
    """Return a message as the server lists it (docs/kanidm-wire.md, The queue entry), queued at `now`."""
    return _LISTED % (
        message_id(number).encode(),
        _time(now + timedelta(days=7)),
        recipient(number).encode(),
        number,
        int(now.timestamp()) + 86_400,
        number % 100_000,
        _time(now - timedelta(seconds=1)),
    )


def _time(at: datetime) -> bytes:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z".encode()
