"""Whether a mail domain takes mail."""

import pytest

from mail_sender.doctor.domain import mail_domain
from tests.unit.doctor.domain.asking import FAILS, Rows, shown, table

MX = ("acme.zz", "MX")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({MX: ["20 b.zz", "10 a.zz"], ("a.zz", "A"): ["192.0.2.1"], ("b.zz", "AAAA"): ["2001:db8::1"]}, "ok from_domain: acme.zz takes mail at a.zz, b.zz"),
        ({}, "fault from_domain: acme.zz does not exist in DNS (NXDOMAIN)"),
        ({("acme.zz", "TXT"): ["x"]}, "fault from_domain: acme.zz has neither an MX record nor an address"),
        ({("acme.zz", "A"): ["192.0.2.1"]}, "warning from_domain: acme.zz has no MX record: bounces and replies go to its own"),
        ({MX: ["0 ."]}, "fault from_domain: acme.zz takes no mail (null MX, RFC 7505)"),
        ({MX: ["10 a.zz"]}, "fault from_domain: no MX of acme.zz has an address (a.zz)"),
        ({MX: ["10 a.zz", "20 b.zz"], ("b.zz", "A"): ["192.0.2.1"]}, "warning from_domain: an MX of acme.zz has no address (a.zz)"),
        ({MX: ["10 a.zz"], ("a.zz", "A"): FAILS, ("a.zz", "AAAA"): FAILS}, "warning from_domain: the MX of acme.zz, a.zz, cannot be looked up: SERVFAIL"),
        ({MX: FAILS}, "warning from_domain: acme.zz cannot be looked up: SERVFAIL"),
        ({("acme.zz", "TXT"): ["x"], ("acme.zz", "A"): FAILS}, "warning from_domain: acme.zz has no MX, and its address cannot be"),
    ],
)  # fmt: skip
async def test_where_bounces_go_is_judged(rows: Rows, expected: str) -> None:
    """No domain, no MX, a null MX, an MX without an address; what cannot be looked up is no fault yet."""
    found = await mail_domain.look_up("acme.zz", table(rows))
    assert shown(mail_domain.finding("from_domain", "acme.zz", found)).startswith(expected)


async def test_replies_are_judged_by_their_own_key() -> None:
    """The cure for Reply-To names its key of the configuration."""
    found = shown(mail_domain.finding("reply_to_domain", "acme.zz", await mail_domain.look_up("acme.zz", table({}))))
    assert "replies cannot land | correct mail_reply_to_address" in found
