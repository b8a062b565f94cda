"""What PostgreSQL and libpq report, in words: the kind decides what the sender does, and the advice is for people."""

import psycopg
import pytest
from psycopg import errors

from mail_sender.ledger.postgres import faults

SECRET = "correct horse"
_SAID = 'connection failed: connection to server at "192.0.2.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.DiskFull, "disk_full"),
        (errors.TooManyConnections, "too_many"),
        (errors.ReadOnlySqlTransaction, "read_only"),
        (errors.AdminShutdown, "cut"),
        (errors.CrashShutdown, "cut"),
        (errors.CannotConnectNow, "starting"),
        (errors.QueryCanceled, "timeout"),
        (errors.LockNotAvailable, "busy"),
        (errors.SerializationFailure, "busy"),
        (errors.DeadlockDetected, "busy"),
        (errors.InsufficientPrivilege, "not_allowed"),
        (errors.UndefinedTable, "gone"),
        (errors.DataCorrupted, "damaged"),
        (errors.IoError, "disk"),
        (errors.OutOfMemory, "out_of_memory"),
        (errors.ConnectionFailure, "cut"),
        (errors.IdleInTransactionSessionTimeout, "in_the_way"),
        (psycopg.OperationalError, "cut"),
        (psycopg.InterfaceError, "refused"),
        (errors.SyntaxError, "refused"),
    ],
)
def test_each_error_of_a_transaction_has_a_kind(error: type[psycopg.Error], kind: str) -> None:
    """Every fault says where, and what to do; it never quotes what the server says of a row."""
    fault = faults.of(error("Key (mailbox)=(ellie@example.com) already exists"), "PostgreSQL at db")
    assert fault.kind == kind
    assert fault.detail.startswith("PostgreSQL at db: ")
    assert fault.advice
    assert "ellie" not in str(fault)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (_SAID + 'FATAL:  password authentication failed for user "mail"', "wrong_password"),
        (_SAID + "fe_sendauth: no password supplied", "wrong_password"),
        (_SAID + 'FATAL:  database "ledger" does not exist', "no_database"),
        (_SAID + 'FATAL:  role "mail" does not exist', "no_role"),
        (_SAID + 'FATAL:  no pg_hba.conf entry for host "192.0.2.7", user "mail", no encryption', "not_let_in"),
        (_SAID + 'FATAL:  Peer authentication failed for user "mail"', "not_let_in"),
        (_SAID + "FATAL:  sorry, too many clients already", "too_many"),
        (_SAID + "FATAL:  the database system is starting up", "starting"),
        (_SAID + "FATAL:  the database system is shutting down", "starting"),
        (_SAID + "session is read-only", "read_only"),
        (_SAID + "SSL error: certificate verify failed", "tls"),
        (_SAID + 'server certificate for "db" does not match host name "db.example.com"', "tls"),
        (_SAID + "server does not support SSL, but SSL was required", "tls"),
        (_SAID + 'root certificate file "/ca.pem" does not exist', "tls"),
        ("connection timeout expired", "timeout"),
        ("[Errno -2] Name or service not known", "no_host"),
        (_SAID + "Connection refused\n\tIs the server running on that host?", "unreachable"),
        (_SAID + f"something with {SECRET}\x1b[31m in it", "unreachable"),
        ("", "unreachable"),
    ],
)
def test_each_reason_of_a_failed_connection_has_a_kind(said: str, kind: str) -> None:
    """What is not known is quoted, without the password and without what a terminal would obey."""
    fault = faults.on_connecting(psycopg.OperationalError(said), "PostgreSQL at db", SECRET)
    assert fault.kind == kind
    assert fault.advice
    assert SECRET not in str(fault)
    assert str(fault).isprintable()
