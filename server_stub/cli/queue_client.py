"""The client behind the commands: HTTPS with what `serve` wrote into DIR, as the administrator.

It is the stub's counterpart of the `kanidm` command, whose errors have an operation id before the sentence.
"""

from __future__ import annotations

import json
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote

import httpx

from server_stub.errors import StubError
from server_stub.folder.directory import Directory

SECONDS = 30.0


@dataclass(frozen=True)
class QueueClient:
    """The running stub of a folder, and what it takes to speak to it."""

    directory: Directory
    address: httpx.URL
    token: str = field(repr=False)
    trust: ssl.SSLContext

    @classmethod
    def open(cls, directory: Directory) -> Self:
        """Read DIR/config and DIR/tokens.json. Raises StubError if no stub has been there."""
        try:
            config = tomllib.loads(directory.client_config.read_text())
            token = json.loads(directory.tokens.read_text())["admin"]
            trust = ssl.create_default_context(cafile=config["ca_path"])
            return cls(directory, httpx.URL(config["uri"]), token, trust)
        except FileNotFoundError as error:
            raise _not_there(directory, f"{error.filename} is not there") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StubError(
                f"The files in {directory.root} cannot be read ({error}): start the stub anew."
            ) from error

    def list(self) -> object:
        """Return all messages."""
        return self._call("GET", "/scim/v1/Message")

    def get(self, key: str) -> object:
        """Return one message."""
        return self._call("GET", f"/scim/v1/Message/{key}")

    def mark_as_sent(self, key: str) -> None:
        """Set a message's `sent_at`."""
        self._call("POST", f"/scim/v1/Message/{key}/_sent")

    def send_test_message(self, person: str) -> None:
        """Queue a test message."""
        self._call("GET", f"/scim/v1/Person/{quote(person, safe='')}/_message/_send_test")

    def send_reset(self, person: str, address: str | None, ttl: int | None) -> None:
        """Queue a credential reset; `ttl` in seconds."""
        path = f"/v1/person/{quote(person, safe='')}/_credential/_update_intent_send"
        self._call("POST", path, {"ttl": ttl, "email": address})

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> object:
        headers = {"authorization": f"Bearer {self.token}"}
        try:
            # A proxy from the environment would have to find its way back to this machine.
            with httpx.Client(base_url=self.address, verify=self.trust, timeout=SECONDS, trust_env=False) as http:
                response = http.request(method, path, headers=headers, json=body)
        except httpx.TransportError as error:
            raise _not_there(self.directory, f"{self.address} does not answer: {error}") from error
        if response.status_code != 200:
            raise _refused(response)
        return response.json()


def _not_there(directory: Directory, why: str) -> StubError:
    return StubError(f"No stub is running on {directory.root} ({why}). Run: server-stub serve --dir {directory.root}")


def _refused(response: httpx.Response) -> StubError:
    operation = response.headers.get("x-kanidm-opid", "none")
    if response.status_code == 404:
        fault = "Item not found. Check the name or id, and that you may see it."
    else:
        fault = f"The server answered {response.status_code}: {response.text}"
    return StubError(f"OperationId: {operation}\n{fault}")
