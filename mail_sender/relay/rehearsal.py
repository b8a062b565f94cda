"""A rehearsal: all that a mail goes through before its recipient is named, at one address of the relay at a time.

It is for `doctor`, which wants to know of each address. The password is said only where it is asked for: a wrong one
that is said at each address could lock the account.
"""

from dataclasses import replace
from datetime import datetime

from mail_sender.relay import addresses, pool
from mail_sender.relay.addresses import Address
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.connection import Connection, Rehearsed
from mail_sender.relay.known import KnownRelay
from mail_sender.relay.oauth import tokens
from mail_sender.relay.replies import FAULTS, verdict
from mail_sender.relay.seen import Seen
from mail_sender.verdict import Stage, Verdict

LONGEST = 30.0
"""Seconds that one rehearsal may take at most; a mail waits longer for a relay that is slow."""
_TALK = 5.0  # for what comes after connection, TLS and greeting


class Rehearsal:
    """Rehearsals with one relay. Raises `OSError` or `BadPem` if a certificate file cannot be used."""

    def __init__(self, config: RelayConfig) -> None:
        self._config = config
        self._context = pool.context(config)
        self._tokens = tokens.of(config.oauth) if config.oauth else None

    async def addresses(self) -> list[Address] | Verdict:
        """Return the addresses of the relay's name, or the verdict that it has none."""
        config = self._config
        try:
            found = await addresses.of(config.host, config.port, config.connect_timeout)
        except FAULTS as error:
            return verdict(Stage.RESOLVE, error, config, config.security)
        return addresses.in_order(found, None)

    async def token_expires_at(self) -> datetime | Verdict | None:
        """Get an access token, if the login needs one; return when it ends, or the verdict that there is none."""
        if self._tokens is None:
            return None
        try:
            return (await self._tokens.current()).expires_at
        except FAULTS as error:
            return verdict(Stage.TOKEN, error, self._config, self._config.security)

    async def without_login(self, address: Address) -> Rehearsed:
        """Connect, shake hands and say EHLO."""
        return await self._rehearsed(address, replace(self._config, username=None, password=None, oauth=None), None)

    async def with_login(self, address: Address, sender: str | None) -> Rehearsed:
        """Do the same, log in, and ask whether mail from this address may be sent, if one is given."""
        return await self._rehearsed(address, self._config, sender)

    async def _rehearsed(self, address: Address, config: RelayConfig, sender: str | None) -> Rehearsed:
        known = KnownRelay(config.security, lambda _: None)
        known.addresses = [address]
        connection = Connection(config, self._context, known, Seen())
        return await connection.rehearse(sender, min(2 * config.connect_timeout + _TALK, LONGEST))
