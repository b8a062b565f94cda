"""SPF for one address: who passes, as RFC 7208 evaluates it."""

import ipaddress

import pytest

from mail_sender.doctor.domain.spf_evaluation import Evaluation
from mail_sender.doctor.domain.spf_macros import Mail
from tests.unit.doctor.domain.asking import FAILS, Rows, table

ROWS: Rows = {
    ("acme.zz", "A"): ["192.0.2.10"],
    ("acme.zz", "AAAA"): ["2001:db8::10"],
    ("acme.zz", "MX"): ["10 mx.acme.zz", "20 ."],
    ("mx.acme.zz", "A"): ["192.0.2.20"],
    ("pass.zz", "TXT"): ["v=spf1 ip4:192.0.2.30 -all"],
    ("neutral.zz", "TXT"): ["v=spf1 ?ip4:192.0.2.30"],
    ("30.2.0.192.acme.zz", "A"): ["127.0.0.2"],
    ("down.zz", "TXT"): FAILS,
}


@pytest.mark.parametrize(
    ("record", "ip", "result"),
    [
        ("a -all", "192.0.2.10", "pass"), ("a -all", "192.0.2.11", "fail"), ("a/24 -all", "192.0.2.11", "pass"),
        ("a -all", "2001:db8::10", "pass"), ("a/0//64 -all", "2001:db8::11", "pass"), ("a//64 -all", "192.0.2.11", "fail"),
        ("mx ~all", "192.0.2.20", "pass"), ("mx ~all", "192.0.2.10", "softfail"), ("mx ~all", "2001:db8::1", "softfail"),
        ("-a +all", "192.0.2.10", "fail"), ("?a -all", "192.0.2.10", "neutral"), ("", "192.0.2.1", "neutral"),
        ("ip4:192.0.2.0/24 -all", "192.0.2.1", "pass"), ("ip6:2001:db8::/32 -all", "2001:db8::1", "pass"),
        ("ip4:192.0.2.0/24 -all", "2001:db8::1", "fail"),
        ("include:pass.zz ~all", "192.0.2.30", "pass"), ("include:pass.zz ~all", "192.0.2.1", "softfail"),
        ("include:neutral.zz ~all", "192.0.2.30", "softfail"), ("include:gone.zz ~all", "192.0.2.1", "permerror"),
        ("include:down.zz ~all", "192.0.2.1", "temperror"), ("redirect=pass.zz", "192.0.2.30", "pass"),
        ("redirect=pass.zz", "192.0.2.1", "fail"), ("redirect=pass.zz ~all", "192.0.2.1", "softfail"),
        ("exists:%{ir}.%{d} -all", "192.0.2.30", "pass"), ("exists:%{ir}.%{d} -all", "192.0.2.31", "fail"),
        ("ptr -all", "192.0.2.10", "fail"), ("a:gone.zz -all", "192.0.2.10", "fail"),
    ],
)  # fmt: skip
async def test_an_address_is_judged_as_mailboxes_do(record: str, ip: str, result: str) -> None:
    """The first mechanism that matches decides; include asks for a pass; redirect counts only without all."""
    rows = {**ROWS, ("acme.zz", "TXT"): [f"v=spf1 {record}".strip()]}
    evaluation = Evaluation(table(rows), Mail("idm@acme.zz", "acme.zz", ipaddress.ip_address(ip)))
    assert await evaluation.check("acme.zz") == result


async def test_a_tree_without_end_is_left() -> None:
    """Each record includes two new names: the counting ends, whatever DNS makes up."""
    asked = []

    async def ask(name: str, kind: object) -> object:
        asked.append(name)
        return await table({(name, "TXT"): [f"v=spf1 include:a.{name} include:b.{name} -all"]})(name, kind)  # type: ignore[arg-type]  # it is a Kind

    evaluation = Evaluation(ask, Mail("idm@acme.zz", "acme.zz", None))  # type: ignore[arg-type]  # an Ask, but for the name of its types
    assert await evaluation.check("acme.zz") == "permerror"
    assert len(asked) < 40
