"""How the database is reached: TLS unless it is this machine, and nothing of a password in any text."""

import pytest

from mail_sender.ledger.postgres import target
from mail_sender.ledger.postgres.target import BadUrl

SECRET = "correct horse"
FAR = "postgresql://mail@db.example.com/ledger"


@pytest.mark.parametrize(
    ("url", "environment", "mode", "warns"),
    [
        (FAR, {}, "verify-full", False),
        (FAR + "?sslmode=verify-full", {}, "verify-full", False),
        (FAR + "?sslmode=require", {}, "require", True),
        (FAR + "?sslmode=verify-ca", {}, "verify-ca", True),
        (FAR + "?sslmode=disable", {}, "disable", True),
        (FAR, {"PGSSLMODE": "prefer"}, None, True),
        ("postgresql://mail@127.0.0.1/ledger", {}, None, False),
        ("postgresql://mail@[::1]/ledger", {}, None, False),
        ("postgresql://mail@localhost/ledger", {}, None, False),
        ("postgresql:///ledger", {}, None, False),
        ("postgresql:///ledger?host=/run/postgresql", {}, None, False),
        ("postgresql://mail@localhost,db.example.com/ledger", {}, "verify-full", False),
        ("postgresql:///ledger", {"PGHOST": "db.example.com"}, "verify-full", False),
        ("postgresql:///ledger", {"PGHOST": "/run/postgresql"}, None, False),
        ("postgresql://localhost/ledger?hostaddr=192.0.2.1", {}, "verify-full", False),
        ("postgresql:///?service=ledger", {}, "verify-full", False),
        ("postgresql:///", {"PGSERVICE": "ledger"}, "verify-full", False),
        ("postgresql:///?service=ledger&sslmode=disable", {}, "disable", True),
    ],
)
def test_what_leaves_this_machine_is_encrypted_and_its_server_checked(
    url: str, environment: dict[str, str], mode: str | None, warns: bool
) -> None:
    """Unless somebody says otherwise, who is then warned; of a service nobody knows where it is."""
    found = target.of(url, environment=environment)
    assert found.parameters.get("sslmode") == mode
    assert bool(found.warning) is warns


def test_the_systems_roots_are_named_unless_a_ca_is() -> None:
    """The OpenSSL that psycopg brings looks for them elsewhere."""
    assert target.of(FAR, environment={}).parameters["sslrootcert"].startswith("/etc/")
    assert target.of(FAR, ca_path="/ca.pem", environment={}).parameters["sslrootcert"] == "/ca.pem"
    assert target.of(FAR + "?sslrootcert=/own.pem", environment={}).parameters["sslrootcert"] == "/own.pem"


def test_a_password_is_taken_and_never_shown() -> None:
    """Neither from the url nor from a file of its own."""
    for found in (
        target.of("postgresql://mail:correct%20horse@db.example.com/ledger", environment={}),
        target.of(FAR, password=SECRET, environment={}),
    ):
        assert found.password == found.parameters["password"] == SECRET
        assert SECRET not in f"{found!r} {found} {found.place} {found.warning}"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (FAR, "PostgreSQL at db.example.com, database ledger"),
        ("postgresql://mail@db.example.com:5433/ledger", "PostgreSQL at db.example.com:5433, database ledger"),
        ("postgresql://a.example:1,b.example:2/x", "PostgreSQL at a.example,b.example:1,2, database x"),
        ("postgresql:///ledger", "PostgreSQL at this machine, database ledger"),
        ("postgresql:///x?host=/run/postgresql&port=5433", "PostgreSQL at /run/postgresql, database x"),
        ("postgresql:///?service=mail", "PostgreSQL (service mail)"),
    ],
)
def test_a_place_is_named_in_words(url: str, place: str) -> None:
    """As people look for it."""
    assert target.of(url, environment={}).place == place


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://mail:pass/word@host/x",
        "postgresql://mail:1/word@host/x",
        "mysql://mail@host/x",
        "postgresql://h/?passwrd=word",
        "password=word x",
    ],
)
def test_a_url_that_cannot_be_read_is_not_quoted(url: str) -> None:
    """Libpq would: what it takes for a port may be half of a password."""
    with pytest.raises(BadUrl) as raised:
        target.of(url, environment={})
    assert "word" not in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__
