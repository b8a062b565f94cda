"""Which server is asked: the stub as a process of its own, or the one that `--url` names.

Each option may be given by the environment too (`--url` as CONFORMANCE_URL), for runs that do not name this folder on
the command line, where pytest knows no options of it.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from tests.conformance import captures
from tests.conformance.captures import Capture
from tests.conformance.replay import Replay
from tests.conformance.server import Connection, Server
from tests.support.stub import Stub

STUB_VERSION = "1.12.0-dev"
NEEDED = {"readwrite", "admin"}
OPTIONS = {
    "--url": "the server to ask; without it, a stub is started",
    "--ca": "a PEM file of its CA; without it, the system's",
    "--tokens": "a JSON file of its tokens, as in a stub's tokens.json",
    "--person": "the name of a person with an address, to whom messages are queued (ellie)",
    "--person-without-mail": "the name of a person without one; left out without it",
    "--login": "the name of the administrator who logs in (idm_admin)",
}


class Asked(Protocol):
    """A case, and what a server must be known by for it."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> set[str]: ...


Case = TypeVar("Case", bound=Asked)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "a server that should answer as Kanidm does")
    for option, text in OPTIONS.items():
        group.addoption(option, metavar=option.strip("-").upper(), help=text)


def pytest_configure(config: pytest.Config) -> None:
    url = chosen(config, "--url")
    if url:
        named_server(config, url)


def chosen(config: pytest.Config, option: str) -> str | None:
    """Return an option's value, from the command line or the environment."""
    variable = f"CONFORMANCE_{option.strip('-').replace('-', '_').upper()}"
    value: str | None = config.getoption(option, None) or os.environ.get(variable)
    return value


def pytest_report_header(config: pytest.Config) -> list[str]:
    url = chosen(config, "--url")
    left_out = [one.name for one in captures.load() if url and not one.needs <= named_server(config, url).has]
    return [f"conformance: {url or 'a stub'}", *(f"conformance: left out: {name}" for name in left_out)]


def named_server(config: pytest.Config, url: str) -> Server:
    """Return the server that the options name. Raises pytest.UsageError."""
    ca = chosen(config, "--ca")
    try:
        trust = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise pytest.UsageError(f"--ca {ca}: {error}") from error
    return Server(
        url=url.rstrip("/"),
        trust=trust,
        tokens=read_tokens(chosen(config, "--tokens")),
        person=chosen(config, "--person") or "ellie",
        person_without_mail=chosen(config, "--person-without-mail"),
        login=chosen(config, "--login") or "idm_admin",
    )


def read_tokens(name: str | None) -> dict[str, str]:
    try:
        tokens: Any = json.loads(Path(name or "").read_text())
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"--tokens {name}: {error}") from error
    if not isinstance(tokens, dict) or not tokens.keys() >= NEEDED:
        raise pytest.UsageError(f"--tokens {name} must hold an object with {' and '.join(sorted(NEEDED))}")
    return tokens


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, cases in (("capture", captures.load()), ("rule", getattr(metafunc.module, "RULES", []))):
        if name in metafunc.fixturenames:
            fitting = answerable(metafunc.config, cases)
            metafunc.parametrize(name, fitting, ids=[one.name for one in fitting])


def answerable(config: pytest.Config, cases: Sequence[Case]) -> list[Case]:
    """Return the cases for which the server is known well enough."""
    url = chosen(config, "--url")
    has = named_server(config, url).has if url else None
    return [one for one in cases if has is None or one.needs <= has]


@pytest.fixture(scope="package")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give the server that is asked."""
    url = chosen(request.config, "--url")
    if url:
        yield named_server(request.config, url)
        return
    with Stub(tmp_path_factory.mktemp("conformance") / "stub") as stub:
        trust = ssl.create_default_context(cafile=str(stub.ca))
        yield Server(stub.url, trust, stub.tokens, version=STUB_VERSION)


@pytest.fixture
def connection(server: Server) -> Iterator[Connection]:
    """Give a connection to it."""
    with server.connected() as connection:
        yield connection


@pytest.fixture(scope="package")
def replayed(server: Server) -> Iterator[tuple[Replay, dict[str, Any]]]:
    """Give the server's answer to each captured request, by the capture's name."""
    fitting: list[Capture] = [one for one in captures.load() if one.needs <= server.has]
    with server.connected() as connection:
        replay = Replay(connection)
        yield replay, dict(replay.run(fitting))
