"""A token endpoint (RFC 6749, section 3.2) that answers as it is told, and keeps what it was asked."""

import json
import ssl
import threading
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from tests.support.scripted_server import Answer, ScriptedServer


def granted(token: str, seconds: object = 3599, **more: object) -> Answer:
    """Return the answer that grants a token."""
    values = {"token_type": "Bearer", "expires_in": seconds, "access_token": token, **more}
    return Answer(body=json.dumps(values).encode())


def refused(status: int, error: str, description: str = "") -> Answer:
    """Return the answer that refuses one."""
    return Answer(status, json.dumps({"error": error, "error_description": description}).encode())


class TokenEndpoint(ScriptedServer):
    """Gives one answer after the other, the last one for good. While `held` is cleared, it answers nobody."""

    def __init__(self, answers: Sequence[Answer], tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.held = threading.Event()
        self.held.set()
        self._given = 0
        super().__init__(lambda _method, _path: self._next(), tls)

    def _next(self) -> Answer:
        assert self.held.wait(30)
        answer = self.answers[min(self._given, len(self.answers) - 1)]
        self._given += 1
        return answer

    @property
    def forms(self) -> list[Mapping[str, str]]:
        """What was asked, by field."""
        return [dict(parse_qsl(body.decode())) for _, body in self.posted]
