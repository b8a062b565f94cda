"""The refresh token in use: the configured one, or the newest that the endpoint has given in its place.

Some providers change it with each use (RFC 6749, section 6), and end the old one some day. The newest is kept in the
state folder, in a file of its own (mode 0600), and asked for before each use, so that `doctor` and a running sender
share it. It counts for as long as the configured one is the one that it came from.
"""

import hashlib
import json
from collections.abc import Mapping

import structlog

from mail_sender.errors import MailSenderError
from mail_sender.ledger import state_file
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.names.secret import Secret

_log = structlog.get_logger()

_LARGEST = 65_536  # octets


class RefreshToken:
    """The refresh token of one configuration."""

    def __init__(self, configured: Secret, state: StateFolder | None) -> None:
        self._configured = configured
        self._state = state
        self._newest: Secret | None = None
        self._is_said = False

    def current(self) -> Secret:
        """Return the newest one that is known."""
        return self._kept() or self._newest or self._configured

    def take(self, new: Secret) -> None:
        """Take in that the endpoint gave another one, and keep it, where that can be done."""
        if new.get_secret_value() == self.current().get_secret_value():
            return
        self._newest = new
        why_not = self._keep(new)
        if not self._is_said:
            self._report(why_not)
        self._is_said = True

    def _report(self, why_not: str | None) -> None:
        if why_not is None and self._state is not None:
            sentence = f"the token endpoint changes the refresh token: the newest is kept in {self._state.oauth}"
            _log.info("oauth_refresh_token", message=sentence)
            return
        sentence = (
            f"the token endpoint changes the refresh token, and the newest is kept in memory only ({why_not}): a "
            "restart begins with the one in the configuration, which may have ended by then"
        )
        _log.warning("oauth_refresh_token", message=sentence)

    def _keep(self, new: Secret) -> str | None:
        """Write the file; return why that cannot be done, or None."""
        if self._state is None:
            return "the ledger is in memory, too"
        content = json.dumps({"of": self._of, "refresh_token": new.get_secret_value()})
        try:
            state_file.replace(self._state, self._state.oauth, content.encode())
        except OSError as error:
            return f"{self._state.oauth}: {(error.strerror or 'it cannot be written').lower()}"
        except MailSenderError as error:
            return str(error)
        return None

    def _kept(self) -> Secret | None:
        if self._state is None:
            return None
        try:
            values = json.loads(state_file.read(self._state, self._state.oauth, _LARGEST))
        except (OSError, MailSenderError, ValueError, RecursionError):
            return None
        if not isinstance(values, Mapping) or values.get("of") != self._of:
            return None
        token = values.get("refresh_token")
        return Secret(token) if isinstance(token, str) and token else None

    @property
    def _of(self) -> str:
        """What says, without giving it away, which configured token the newest one came from."""
        return hashlib.sha256(self._configured.get_secret_value().encode()).hexdigest()
