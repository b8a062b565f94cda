"""The date on which TLS will fail is that of the first certificate of the chain to end, whosever it is."""

from datetime import UTC, datetime

from mail_sender.tls import certificate
from mail_sender.tls.certificate import Certificate

OWN = {"notAfter": "Jan 31 00:00:00 2027 GMT"}
SOONER = {"notAfter": "Jan  2 00:00:00 2027 GMT"}
LATER = {"notAfter": "Jan  1 00:00:00 2037 GMT"}


def test_a_ca_that_ends_first_is_the_one_that_counts() -> None:
    """An intermediate CA's certificate may end before that which it signed."""
    found = certificate._first_to_end(OWN, [OWN, SOONER, LATER])
    assert found == Certificate(datetime(2027, 1, 2, tzinfo=UTC), is_ca=True)
    assert str(found) == "a CA's certificate in its chain is valid until 2027-01-02"


def test_else_it_is_the_peers_own() -> None:
    """The peer's own is in the chain as well."""
    found = certificate._first_to_end(OWN, [OWN, LATER])
    assert found == Certificate(datetime(2027, 1, 31, tzinfo=UTC))
    assert str(found) == "its certificate is valid until 2027-01-31"


def test_there_is_none_without_tls() -> None:
    """A connection in the clear has no certificate."""
    assert certificate.of(None) is None
