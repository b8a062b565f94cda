"""The relay's addresses: the first one that takes a TCP connection, in the resolver's order.

Each address is tried for a share of the time, so that a silent one does not use up what the others need. If none
takes the connection, the last one's error is raised as it is, because the verdict depends on its class.

The standard library's happy eyeballs (`loop.create_connection`, RFC 8305) are not used, because no verdict could be
made of what they raise. They make one plain `OSError`, without a number, of the errors of several addresses. They
also look the name up themselves, so that a name's failure could not be told from an address's.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any


async def connected(addresses: Sequence[Any], seconds: float) -> socket.socket:
    """Return a socket that is connected to one of the addresses, which are as `getaddrinfo` gives them.

    Raises `OSError` (a `TimeoutError` for silence) if there is none. A single address has no share: the caller's
    deadline is its own.
    """
    loop = asyncio.get_running_loop()
    refusal: OSError = OSError("the name has no address")
    share = seconds / (len(addresses) + 1) if len(addresses) > 1 else None
    for family, kind, number, _, place in addresses:
        candidate = socket.socket(family, kind, number)
        candidate.setblocking(False)
        try:
            async with asyncio.timeout(share):
                await loop.sock_connect(candidate, place)
        except BaseException as error:
            candidate.close()
            if not isinstance(error, OSError):
                raise
            refusal = TimeoutError("no answer") if isinstance(error, TimeoutError) else error
        else:
            return candidate
    raise refusal
