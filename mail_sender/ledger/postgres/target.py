"""Where the database is, and how it is reached: the parameters for libpq.

1. The connection is encrypted and the server's certificate checked (`sslmode=verify-full`), unless the server is this
   machine (a loopback address, a unix socket), or whoever configures it says something else, of which they are
   warned.
2. The password stands in the url, or in a file of its own, or where libpq looks for it itself (`PGPASSWORD`, a
   password file, a service). No text of a fault has it.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mail_sender.names.hostname import is_loopback

SCHEMA = "mail_sender"
"""The schema in which the ledger lies, if no other is named."""
_APPLICATION = "mail-sender"
_EXPECTED = "expected postgresql://ROLE:PASSWORD@HOST:PORT/DATABASE, with %XX for other characters"
_ROOTS = (  # Debian and Alpine, Fedora, openSUSE
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
)
_LIVELY = {  # seconds, the last one milliseconds: a network that is gone is noticed while nothing is sent, too
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


class BadUrl(ValueError):
    """The url cannot be read. It is not quoted: it may hold a password."""


@dataclass(frozen=True, slots=True)
class Target:
    """A database: parameters for libpq, the ledger's schema in it, and its place in words, for people.

    `warning` says what is not as safe as it should be.
    """

    parameters: Mapping[str, str] = field(repr=False)
    schema: str = SCHEMA
    place: str = "the database"
    warning: str = ""

    @property
    def password(self) -> str | None:
        """The password, as far as it is known here."""
        return self.parameters.get("password")


def of(
    url: str = "", password: str | None = None, ca_path: str | None = None, schema: str = SCHEMA,
    environment: Mapping[str, str] = os.environ,
) -> Target:  # fmt: skip
    """Return the database that a url of libpq names; what it leaves out libpq knows from its environment.

    Raises `BadUrl`.
    """
    try:
        given = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except psycopg.Error:
        raise BadUrl(_EXPECTED) from None
    # A password with a slash: what stands before it is taken for the port, and the rest for the database's name.
    if not re.fullmatch(r"[0-9,]*", given.get("port", "")) or "@" in given.get("dbname", ""):
        raise BadUrl(_EXPECTED)
    if password is not None:
        given["password"] = password
    if ca_path is not None:
        given["sslrootcert"] = ca_path
    hosts = _hosts(given, environment)
    mode, warning = _sslmode(given, hosts, environment)
    parameters = {"application_name": _APPLICATION, "client_encoding": "utf8", **_LIVELY, **given, **mode}
    return Target(parameters, schema, _place(given, hosts, environment), warning)


def _hosts(given: Mapping[str, str], environment: Mapping[str, str]) -> list[str]:
    named = given.get("hostaddr") or given.get("host")
    if not named and "service" not in given:
        named = environment.get("PGHOSTADDR") or environment.get("PGHOST")
    return [host for host in (named or "").split(",") if host]


def _sslmode(
    given: Mapping[str, str], hosts: list[str], environment: Mapping[str, str]
) -> tuple[dict[str, str], str]:
    said = given.get("sslmode") or environment.get("PGSSLMODE")
    service = given.get("service") or environment.get("PGSERVICE")
    here = not service and all(host.startswith(("/", "@")) or is_loopback(host) for host in hosts)
    if said == "verify-full" or here:
        return {}, ""
    if said:
        return {}, f"sslmode={said}: whoever is between mail-sender and the database can read and change the ledger"
    authority = given.get("sslrootcert") or environment.get("PGSSLROOTCERT") or _roots()
    return {"sslmode": "verify-full", "sslrootcert": authority}, ""


def _roots() -> str:
    """Return the file with the system's roots, which the OpenSSL that psycopg brings does not know."""
    named = os.environ.get("SSL_CERT_FILE")
    return next((path for path in (named, *_ROOTS) if path and Path(path).is_file()), "system")


def _place(given: Mapping[str, str], hosts: list[str], environment: Mapping[str, str]) -> str:
    database = given.get("dbname") or environment.get("PGDATABASE") or ""
    if service := given.get("service") or environment.get("PGSERVICE"):
        return f"PostgreSQL (service {service})"
    host = ",".join(hosts) or "this machine"
    port = given.get("port") or environment.get("PGPORT")
    where = f"{host}:{port}" if port and not host.startswith("/") else host
    return f"PostgreSQL at {where}, database {database}" if database else f"PostgreSQL at {where}"
