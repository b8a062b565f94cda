"""SPF, DKIM and DMARC of the From domain: each way to have them wrong is one line that names the cause and the cure."""

import pytest

from mail_sender.doctor.domain.check import authentication
from mail_sender.mail.config import MailConfig
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.relay_url import Security
from tests.unit.doctor.domain.asking import (
    ED25519,
    FAILS,
    GOOD,
    RSA_512,
    RSA_1024,
    RSA_1024_BARE,
    RSA_2048,
    Rows,
    changed,
    shown,
    table,
)

SPF = ("acme.zz", "TXT")
DMARC = ("_dmarc.acme.zz", "TXT")
KEY = ("s1._domainkey.acme.zz", "TXT")
ELEVEN = "v=spf1 " + " ".join(f"a:h{number}.acme.zz" for number in range(11)) + " -all"
ELEVEN_HOSTS: Rows = {(f"h{number}.acme.zz", "A"): ["127.0.0.2"] for number in range(11)}


async def lines(
    changes: Rows,
    *,
    relay: str = "smtp.acme.zz",
    selectors: tuple[str, ...] = ("s1",),
    sender: str = "idm@acme.zz",
    login: str | None = None,
) -> list[str]:
    """Return the findings of the good domain with changes."""
    mail = MailConfig("Acme", "https://idm.acme.zz", sender, sender)
    config = RelayConfig(relay, 465, Security.IMPLICIT, "acme.zz", username=login)
    return [shown(one) for one in await authentication(mail, config, selectors, table(changed(GOOD, changes)))]


async def test_a_domain_that_has_everything_is_well() -> None:
    """One line for each record, and nothing to do."""
    assert await lines({}) == [
        'ok spf: acme.zz: "v=spf1 mx -all", 1 of 10 look-ups | None',
        "ok spf_relay: SPF of acme.zz passes for smtp.acme.zz (192.0.2.1) | None",
        "ok dkim: the DKIM key at s1._domainkey.acme.zz is good (RSA, 2048 bits) | None",
        "ok dmarc: _dmarc.acme.zz has a DMARC policy for acme.zz: reject | None",
        "ok alignment: a DKIM signature of acme.zz aligns with From | None",
    ]


WRONG: list[tuple[Rows, str, str]] = [
    # SPF: the record
    (
        {SPF: ["a-site-verification=1"]},
        "fault spf: acme.zz has no SPF record, which says",
        'such as "v=spf1 mx -all"',
    ),
    ({SPF: ["v=spf1;mx -all"]}, "because it does not begin with v=spf1 and a space", "correct its beginning"),
    ({SPF: ["v=spf1 mx -all", "v=spf1 a -all"]}, "fault spf: acme.zz has 2 SPF records", "make one record of them"),
    ({SPF: FAILS}, "warning spf: the TXT records of acme.zz cannot be looked up: SERVFAIL", "name servers"),
    ({SPF: ["v=spf1 mx ip4=192.0.2.1 -all"]}, '"ip4=192.0.2.1" has = where : belongs', "correct it"),
    ({SPF: ["v=spf1 mx"]}, "warning spf: SPF of acme.zz says nothing about other senders", "end it with -all"),
    ({SPF: ["v=spf1 mx ?all"]}, "warning spf: SPF of acme.zz says nothing about other senders", "end it with -all"),
    ({SPF: ["v=spf1 mx +all"]}, "fault spf: SPF of acme.zz lets everybody send", "instead of +all"),
    ({SPF: ["v=spf1 mx all"]}, "fault spf: SPF of acme.zz lets everybody send", "instead of +all"),
    ({SPF: ["v=spf1 mx -all include:x.zz"]}, 'nobody reads what follows all: "include:x.zz"', "move all to the end"),
    ({SPF: ["v=spf1 mx ptr -all"]}, "warning spf: the SPF record of acme.zz uses ptr", "replace it"),
    # SPF: where it leads
    ({SPF: [ELEVEN], **ELEVEN_HOSTS}, "needs 11 DNS look-ups; mailboxes stop at 10", "remove includes"),
    ({SPF: ["v=spf1 include:acme.zz -all"]}, "in a circle: acme.zz -> acme.zz", "correct the record"),
    (
        {SPF: ["v=spf1 include:a.zz -all"], ("a.zz", "TXT"): ["v=spf1 redirect=acme.zz"]},
        "in a circle: acme.zz -> a.zz -> acme.zz",
        "correct the record",
    ),
    ({SPF: ["v=spf1 include:gone.zz -all"]}, "include:gone.zz leads to a name without an SPF record", "correct"),
    ({SPF: ["v=spf1 redirect=gone.zz"]}, "redirect=gone.zz leads to a name without an SPF record", "correct"),
    (
        {SPF: ["v=spf1 include:a.zz -all"], ("a.zz", "TXT"): ["v=spf1 ipv4:192.0.2.1"]},
        'in the record of a.zz, "ipv4:192.0.2.1" is no mechanism of SPF; write ip4: or ip6:',
        "correct",
    ),
    (
        {SPF: ["v=spf1 include:a.zz -all"], ("a.zz", "TXT"): ["v=spf1 +all"]},
        "fault spf: SPF of acme.zz lets everybody send",
        "also in the records it includes",
    ),
    (
        {SPF: ["v=spf1 include:a.zz -all"], ("a.zz", "TXT"): FAILS},
        "warning spf: SPF of acme.zz cannot be judged: a.zz cannot be looked up (SERVFAIL",
        "try again",
    ),
    (
        {SPF: ["v=spf1 a:x.zz mx:y.zz exists:z.zz -all"]},
        "fault spf: SPF of acme.zz names 3 hosts without an address (x.zz, y.zz, z.zz); 2 are allowed",
        "remove the terms",
    ),
    (
        {SPF: ["v=spf1 mx -all"], ("acme.zz", "MX"): [f"10 m{number}.acme.zz" for number in range(11)]},
        "mx leads to 11 MX hosts; 10 are allowed",
        "correct",
    ),
    # SPF: the relay
    ({SPF: ["v=spf1 -all"]}, "fault spf_relay: SPF of acme.zz lets nobody send", "add what your relay's provider"),
    ({SPF: ["v=spf1 ip4:198.51.100.1 -all"]}, "ok spf_relay: smtp.acme.zz is inside", ""),
    (
        {SPF: ["v=spf1 ip4:9.9.9.9 -all"], ("smtp.acme.zz", "A"): ["8.8.8.8"]},
        "warning spf_relay: SPF of acme.zz does not name smtp.acme.zz (8.8.8.8), which may send from another",
        "--received",
    ),
    # DKIM
    ({KEY: []}, "fault dkim: there is no DKIM key at s1._domainkey.acme.zz", "publish the TXT record"),
    (
        {KEY: [], ("s1._domainkey.acme.zz", "CNAME"): ["k.provider.xx"]},
        "fault dkim: there is no DKIM key at s1._domainkey.acme.zz, an alias of k.provider.xx: ",
        "publish",
    ),
    ({KEY: FAILS}, "warning dkim: s1._domainkey.acme.zz cannot be looked up: SERVFAIL", "name servers"),
    ({KEY: ["v=spf1 -all"]}, "fault dkim: what stands at s1._domainkey.acme.zz is no DKIM key", "publish"),
    ({KEY: ["v=DKIM1; p="]}, "fault dkim: the DKIM key at s1._domainkey.acme.zz is revoked", "publish"),
    ({KEY: [f"v=DKIM1; p={RSA_512}"]}, "is too short (RSA, 512 bits)", "2048 bits"),
    (
        {KEY: [f"v=DKIM1; p={RSA_1024}"]},
        "warning dkim: the DKIM key at s1._domainkey.acme.zz is short (RSA, 1024",
        "2048",
    ),
    (
        {KEY: [f"k=rsa; p={RSA_1024_BARE}"]},
        "warning dkim: the DKIM key at s1._domainkey.acme.zz is short (RSA, 10",
        "",
    ),
    (
        {KEY: [f"v=DKIM1; k=ed25519; p={ED25519}"]},
        "ok dkim: the DKIM key at s1._domainkey.acme.zz is good (Ed25519)",
        "",
    ),
    ({KEY: [f"v=DKIM1; t=y; p={RSA_2048}"]}, "warning dkim: the DKIM key at s1._domainkey.acme.zz is marked", "t=y"),
    ({KEY: [f"v=DKIM1; p={RSA_2048}"] * 2}, "fault dkim: there are 2 DKIM keys at", "leave only the key"),
    ({KEY: [f"v=DKIM1; p={RSA_2048[:-41]}"]}, "fault dkim: nobody can use the DKIM key", "whole"),
    ({KEY: [f"v=DKIM1; h=sha1; p={RSA_2048}"]}, "h=sha1 leaves out sha256", "publish"),
    ({KEY: [f"v=DKIM1; s=tlsrpt; p={RSA_2048}"]}, "s=tlsrpt says that it is not for mail", "publish"),
    ({KEY: [f"v=DKIM1; k=dsa; p={RSA_2048}"]}, 'k="dsa" is no algorithm of DKIM', "publish"),
    ({KEY: [f"v=DKIM1; k=ed25519; p={RSA_1024}"]}, "an Ed25519 key has 32", "publish"),
    ({KEY: ["v=DKIM1; k=rsa"]}, "it has no p=, which holds the key", "publish"),
    ({KEY: [f"p={RSA_2048}; v=DKIM1"]}, "v= must stand first, and be DKIM1", "publish"),
    # DMARC
    ({DMARC: []}, "warning dmarc: acme.zz has no DMARC record", "add a TXT record at _dmarc.acme.zz"),
    ({DMARC: FAILS}, "warning dmarc: _dmarc.acme.zz cannot be looked up: SERVFAIL", "name servers"),
    ({DMARC: ["v=DMARC1; p=none"] * 2}, "fault dmarc: _dmarc.acme.zz has 2 DMARC records", "leave one"),
    ({DMARC: ["v=dmarc1; p=none"]}, "because it does not begin with v=DMARC1;", "add a TXT record"),
    ({DMARC: [], SPF: ["v=spf1 mx -all", "v=DMARC1; p=none"]}, "because it stands at acme.zz itself", "add a TXT"),
    (
        {DMARC: ["v=DMARC1; rua=mailto:a@acme.zz"]},
        "fault dmarc: the DMARC record at _dmarc.acme.zz breaks",
        "correct",
    ),
    ({DMARC: ["v=DMARC1; p=block"]}, 'p="block" is none of none, quarantine and reject', "correct"),
    ({DMARC: ["v=DMARC1; p=none; rua=a@acme.zz"]}, "write mailto: before an address", "correct"),
    ({DMARC: ["v=DMARC1; p=none; pct=many"]}, 'pct="many" is no number', "correct"),
    ({DMARC: ["v=DMARC1, p=none"]}, "because it does not begin with v=DMARC1;", "add"),
    (
        {DMARC: ["v=DMARC1; p=reject; pct=10"]},
        "warning dmarc: the DMARC policy at _dmarc.acme.zz is for 10 % of the mail alone",
        "remove",
    ),
    ({DMARC: ["v=DMARC1; p=none"]}, "ok dmarc: _dmarc.acme.zz has a DMARC policy for acme.zz: none; nobody gets", ""),
]


@pytest.mark.parametrize(("changes", "seen", "advice"), WRONG, ids=[f"{number}" for number in range(len(WRONG))])
async def test_what_is_wrong_is_named_with_what_to_do(changes: Rows, seen: str, advice: str) -> None:
    """The cause stands in what was seen, the cure in the advice, on one line."""
    found = await lines(changes)
    assert any(seen in one and advice in one for one in found), found


@pytest.mark.parametrize(
    ("rua", "agrees", "is_said"),
    [
        ("mailto:d@acme.zz", False, False),
        ("mailto:d@mail.acme.zz", False, False),
        ("mailto:d@reports.xx", False, True),
        ("mailto:d@acme.zz, mailto:d@reports.xx!10m", False, True),
        ("mailto:d@reports.xx", True, False),
        ("https://reports.xx/", False, False),
    ],
)
async def test_a_foreign_receiver_of_reports_must_agree(rua: str, agrees: bool, is_said: bool) -> None:
    """Without its record mailboxes send it nothing, and nobody notices."""
    agreement: Rows = {("acme.zz._report._dmarc.reports.xx", "TXT"): ["v=DMARC1;"]} if agrees else {}
    found = await lines({DMARC: [f"v=DMARC1; p=none; rua={rua}"], **agreement})
    assert (
        any("warning dmarc_reports: DMARC reports on acme.zz are not sent to reports.xx" in one for one in found)
        is is_said
    )


async def test_a_key_at_a_selector_that_includes_its_domain() -> None:
    """A selector may be pasted with its whole name, as providers show it."""
    found = await lines(
        {("k._domainkey.mg.acme.zz", "TXT"): [f"p={RSA_2048}"]}, selectors=("k._domainkey.mg.acme.zz",)
    )
    assert "ok dkim: the DKIM key at k._domainkey.mg.acme.zz is good (RSA, 2048 bits) | None" in found


async def test_a_signature_of_the_domain_above_aligns() -> None:
    """DKIM and DMARC of acme.zz count for idm.acme.zz, unless adkim=s asks for the domain itself."""
    below: Rows = {("idm.acme.zz", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"]}
    found = await lines(below, sender="idm@idm.acme.zz")
    assert "ok dmarc: _dmarc.acme.zz has a DMARC policy for idm.acme.zz: reject | None" in found
    assert "ok alignment: a DKIM signature of acme.zz aligns with From | None" in found

    found = await lines({**below, DMARC: ["v=DMARC1; p=none; adkim=s"]}, sender="idm@idm.acme.zz")
    assert any("warning alignment: DKIM keys are at acme.zz only, and adkim=s" in one for one in found)


async def test_spf_of_the_domain_above_does_not_count() -> None:
    """SPF has no inheritance, which surprises everybody once."""
    found = await lines({("idm.acme.zz", "MX"): ["10 mx.acme.zz"]}, sender="idm@idm.acme.zz")
    assert any(
        "fault spf: idm.acme.zz has no SPF record" in one and "domain above it does not count" in one for one in found
    )


@pytest.mark.parametrize(
    ("relay", "changes", "expected"),
    [
        (
            "smtp.office365.com",
            {},
            "does not include Microsoft 365, whose relay smtp.office365.com is | add include:spf",
        ),
        (
            "smtp.office365.com",
            {
                SPF: ["v=spf1 include:spf.protection.outlook.com -all"],
                ("spf.protection.outlook.com", "TXT"): ["v=spf1 -all"],
            },
            "ok spf_relay: SPF of acme.zz includes Microsoft 365's senders",
        ),
        ("smtp.office365.com", {}, "at the usual selectors of Microsoft 365 (selector1, selector2)"),
        (
            "smtp.office365.com",
            {("selector1._domainkey.acme.zz", "CNAME"): ["selector1.onmicrosoft.zz"]},
            "warning dkim: selector1._domainkey.acme.zz leads to selector1.onmicrosoft.zz, where there is no DKIM key | switch DKIM on",
        ),
        ("smtp.sendgrid.net", {}, "ok dkim: the DKIM key at s1._domainkey.acme.zz is good"),
        ("smtp.sendgrid.net", {SPF: []}, "warning spf: acme.zz has no SPF record; SendGrid uses an envelope sender"),
        ("smtp.sendgrid.net", {}, "ok spf_relay: SPF of acme.zz need not cover SendGrid"),
        ("smtp.sendgrid.net", {KEY: []}, "warning alignment: SendGrid uses an envelope sender of its own"),
        (
            "email-smtp.eu-west-1.amazonaws.com",
            {},
            "warning dkim: DKIM is not checked: Amazon SES makes selectors that",
        ),
        ("smtp.acme.zz", {}, "ok dkim: the DKIM key at s1._domainkey.acme.zz is good"),
        (
            "smtp.acme.zz",
            {KEY: []},
            "warning dkim: no DKIM key of acme.zz is found at the usual selectors (default, ",
        ),
        ("smtp.acme.zz", {KEY: ["v=DKIM1; p="]}, "fault dkim: the DKIM key at s1._domainkey.acme.zz is revoked"),
        (
            "smtp.acme.zz",
            {KEY: [], ("default._domainkey.acme.zz", "TXT"): FAILS},
            "warning dkim: default._domainkey.acme.zz cannot be looked up: SERVFAIL",
        ),
    ],
)
async def test_what_is_known_of_a_provider_is_used(relay: str, changes: Rows, expected: str) -> None:
    """Without selectors in the configuration, those of the relay's provider are tried; a wrong guess is no fault."""
    found = await lines(changes, relay=relay, selectors=())
    assert any(expected in one for one in found), found


@pytest.mark.parametrize(
    ("sender", "relay", "level"),
    [
        ("acme@gmail.com", "smtp.acme.zz", "fault"),
        ("acme@gmail.com", "smtp.gmail.com", "ok"),
        ("acme@outlook.com", "smtp.sendgrid.net", "fault"),
        ("acme@web.de", "smtp.web.de", "ok"),
    ],
)
async def test_free_mail_leaves_through_its_owners_relay_alone(sender: str, relay: str, level: str) -> None:
    """Nothing else is looked up: SPF, DKIM and DMARC of such a domain are its owner's business."""
    (found,) = await lines({}, sender=sender, relay=relay)
    assert found.startswith(f"{level} from_provider: ")


@pytest.mark.parametrize(
    ("login", "is_said"),
    [("idm@acme.zz", False), ("idm@mail.acme.zz", False), ("idm", False), (None, False), ("idm@other.zz", True)],
)
async def test_a_login_of_another_domain_is_named(login: str | None, is_said: bool) -> None:
    """Some relays put the login's address into From; the address itself is not shown."""
    found = await lines({}, login=login)
    assert any("warning login_domain: the login belongs to other.zz" in one for one in found) is is_said
    assert not any("idm@" in one for one in found)
