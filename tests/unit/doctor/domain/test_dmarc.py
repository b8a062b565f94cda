"""Which DMARC record counts: the tree walk of DMARCbis."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.doctor.domain import dkim_key, dmarc, dmarc_record
from tests.unit.doctor.domain.asking import table


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("acme.zz", ["acme.zz", "zz"]),
        ("a.b.acme.zz", ["a.b.acme.zz", "b.acme.zz", "acme.zz", "zz"]),
        ("a.b.c.d.e.f.g.h.i.zz", ["a.b.c.d.e.f.g.h.i.zz", "d.e.f.g.h.i.zz", "e.f.g.h.i.zz", "f.g.h.i.zz", "g.h.i.zz", "h.i.zz", "i.zz", "zz"]),
    ],
)  # fmt: skip
def test_the_walk_asks_each_name_above_and_skips_long_ones(domain: str, expected: list[str]) -> None:
    """At most eight questions, whatever the domain."""
    assert dmarc.walk(domain) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ({"idm.acme.zz": "", "acme.zz": ""}, "idm.acme.zz"),
        ({"acme.zz": "", "zz": ""}, "zz"),
        ({"acme.zz": "", "zz": "psd=y"}, "acme.zz"),
        ({"zz": "psd=y"}, "zz"),
        ({"acme.zz": "psd=n", "zz": ""}, "acme.zz"),
        ({}, None),
    ],
)
async def test_the_organisations_record_counts_where_the_domain_has_none(
    at: dict[str, str], expected: str | None
) -> None:
    """The shortest name with a record, the one below a public suffix, or the one that says it is none."""
    rows = {(f"_dmarc.{domain}", "TXT"): [f"v=DMARC1; p=none; {tag}"] for domain, tag in at.items()}
    step = dmarc.policy_step(await dmarc.look_up("idm.acme.zz", table(rows)))
    assert (step and step.domain) == expected


@given(
    st.lists(
        st.sampled_from(
            ["v=DMARC1", "p=none", "p", "=", ";", " ", "rua=mailto:", "pct=", "1", "é", "k=rsa", "p=MA==", "0"]
        )
    )
)
def test_no_record_breaks_the_readers(parts: list[str]) -> None:
    """Anything that stands in DNS is read or refused."""
    for parse, refusal in ((dmarc_record.parse, dmarc_record.BadDmarc), (dkim_key.parse, dkim_key.BadKey)):
        with contextlib.suppress(refusal):
            parse("".join(parts))
