"""Mails that arrived: what mailboxes and filters wrote into them, and what the doctor makes of it."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail_sender.doctor.received.check import findings

OURS = "<0b0dba1c-4f2c-4c1e-9f0e-1d3a5b7c9e11@acme.zz>"
LEVELS = {"ok", "warning", "fault"}


def mail(*fields: str, sender: str = "Acme <idm@acme.zz>", message_id: str = OURS) -> bytes:
    """Return a mail with these fields on top of its own."""
    own = (
        "Received: from relay.zz by mx.zz; Mon, 30 Nov 2026 12:00:00 +0000",
        f"From: {sender}",
        f"Message-ID: {message_id}",
    )
    return "\r\n".join([*fields, *own, "", "https://idm.acme.zz/reset?token=secret-of-the-body"]).encode()


def lines(octets: bytes, trusted: str | None = None, sender: str | None = "idm@acme.zz") -> list[str]:
    """Return the findings, each as one line."""
    found = findings(octets, sender, trusted)
    assert {str(one.level) for one in found} <= LEVELS
    assert all("\n" not in one.seen and (one.level == "ok") == (one.advice is None) for one in found)
    return [f"{one.level} {one.check}: {one.seen} | {one.advice}" for one in found]


GMAIL = (
    'Authentication-Results: mx.google.com;\r\n       dkim=pass header.i=@acme.zz header.s=s1 header.b="Gq;(X";\r\n'
    "       spf=pass (google.com: domain of idm@acme.zz designates 192.0.2.1 as permitted sender)"
    " smtp.mailfrom=idm@acme.zz;\r\n       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=acme.zz"
)
MICROSOFT = (
    "Authentication-Results: spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=acme.zz; dkim=pass (signature was verified)"
    " header.d=acme.zz;dmarc=pass action=none header.from=acme.zz;compauth=pass reason=100"
)


def test_gmails_results_are_read() -> None:
    """One header with everything."""
    assert lines(mail(GMAIL)) == [
        "ok mail: the mail is from mail-sender (i***@acme.zz) | None",
        "ok authentication_results: Authentication-Results are those of mx.google.com | None",
        "ok spf: SPF passes for acme.zz, which aligns with From | None",
        "ok dkim: DKIM passes for acme.zz (selector s1), which aligns with From | None",
        "ok dmarc: DMARC passes for acme.zz | None",
    ]


def test_microsofts_results_are_read_although_they_have_no_name() -> None:
    """Its header begins with the first result, and ends with a sum of its own."""
    found = lines(
        mail(
            MICROSOFT,
            "X-MS-Exchange-Organization-SCL: 1",
            "X-Forefront-Antispam-Report: CIP:192.0.2.1;SCL:1;SFV:NSPM;CAT:NONE;",
        )
    )
    assert (
        found[1]
        == "ok authentication_results: Authentication-Results are those of the topmost system, which gives no name | None"
    )
    assert found[2:] == [
        "ok spf: SPF passes for acme.zz, which aligns with From | None",
        "ok dkim: DKIM passes for acme.zz, which aligns with From | None",
        "ok dmarc: DMARC passes for acme.zz | None",
        "ok compauth: Microsoft believes the sender (compauth=pass, reason 100) | None",
        "ok spam: Microsoft does not take the mail for spam (SCL 1) | None",
        "ok spam: Microsoft does not take the mail for spam (SCL 1, SFV NSPM, CAT NONE) | None",
    ]


@pytest.mark.parametrize(
    ("results", "expected", "advice"),
    [
        ("spf=fail smtp.mailfrom=acme.zz", "fault spf: SPF fails for acme.zz (fail): its record does not name the relay of this mail, which came from 192.0.2.9", "or the address 192.0.2.9, to the SPF record of acme.zz"),
        ("spf=softfail smtp.mailfrom=acme.zz; dkim=pass header.d=acme.zz", "warning spf: SPF fails for acme.zz (softfail)", "SPF record"),
        ("spf=pass smtp.mailfrom=b@bounce.relay.zz", "warning spf: SPF passes for bounce.relay.zz, which does not align with From (acme.zz)", "return path"),
        ("spf=pass smtp.mailfrom=b@relay.zz; dkim=pass header.d=acme.zz", "ok spf: SPF passes for relay.zz, which does not align with From (acme.zz); DKIM does", ""),
        ("spf=pass smtp.mailfrom=b@bounce.acme.zz", "ok spf: SPF passes for bounce.acme.zz, which aligns with From", ""),
        ("spf=none smtp.helo=relay.zz; spf=pass smtp.mailfrom=idm@acme.zz", "ok spf: SPF passes for acme.zz, which aligns", ""),
        ("dkim=pass header.d=mail.acme.zz", "warning dkim: DKIM passes for mail.acme.zz, which does not align with From (idm.acme.zz)", ""),
        ("dkim=pass header.d=mail.acme.zz; dmarc=pass", "ok dkim: DKIM passes for mail.acme.zz, which aligns with From", ""),
        ("dkim=pass header.d=relay.zz; dmarc=pass", "warning dkim: DKIM passes for relay.zz, which does not align", ""),
        ("spf=none smtp.mailfrom=acme.zz", "warning spf: SPF says neither yes nor no for acme.zz (none)", "give acme.zz an SPF record"),
        ("spf=neutral", "warning spf: SPF says neither yes nor no for the envelope sender (neutral)", ""),
        ("spf=permerror smtp.mailfrom=acme.zz", "fault spf: the SPF record of acme.zz is broken", "mail-sender doctor"),
        ("spf=temperror smtp.mailfrom=acme.zz", "warning spf: the mailbox could not look up SPF of acme.zz", "another test mail"),
        ("dmarc=pass", "warning spf: the mailbox says nothing about SPF", "mail-sender doctor"),
        ("dkim=none", "fault dkim: the mail has no DKIM signature", "have the relay sign as acme.zz"),
        ("spf=pass smtp.mailfrom=acme.zz; dkim=none", "warning dkim: the mail has no DKIM signature", "have the relay sign"),
        ('dkim=fail reason="no key for signature" header.d=acme.zz header.s=s1', "fault dkim: the DKIM signature by the key s1._domainkey.acme.zz fails (fail): no key for signature", "compare the key"),
        ("dkim=permerror header.i=@acme.zz", "fault dkim: the DKIM signature for acme.zz fails (permerror)", "compare the key"),
        ("dkim=temperror header.d=acme.zz", "warning dkim: the mailbox could not look up the signature for acme.zz", "another test mail"),
        ("dkim=pass header.d=relay.zz", "warning dkim: DKIM passes for relay.zz, which does not align with From (acme.zz)", "verify acme.zz"),
        ("dkim=pass header.d=relay.zz; dkim=pass header.d=acme.zz header.s=k", "ok dkim: DKIM passes for acme.zz (selector k)", ""),
        ("dkim=fail header.d=acme.zz; dkim=pass header.d=zz", "warning dkim: DKIM passes for zz, which does not align", ""),
        ("dmarc=fail action=quarantine header.from=acme.zz", "fault dmarc: DMARC fails for acme.zz (fail): neither SPF nor DKIM passes for it; the mailbox did: quarantine", "SPF or DKIM"),
        ("dmarc=none header.from=acme.zz", "warning dmarc: the mailbox found no DMARC record of acme.zz", "_dmarc.acme.zz"),
        ("dmarc=bestguesspass action=none", "warning dmarc: the mailbox found no DMARC record of acme.zz |", "_dmarc.acme.zz"),
        ("dmarc=permerror", "fault dmarc: the DMARC record of acme.zz is broken", "mail-sender doctor"),
        ("dmarc=temperror", "warning dmarc: the mailbox could not look up DMARC", "another test mail"),
        ("spf=pass smtp.mailfrom=acme.zz", "ok dmarc: the mailbox says nothing about DMARC; by SPF or DKIM it would pass", ""),
        ("spf=fail", "warning dmarc: the mailbox says nothing about DMARC, and neither", "SPF or DKIM"),
        ("compauth=fail reason=601", "fault compauth: Microsoft does not believe the sender (compauth=fail, reason 601)", "all three count"),
        ("iprev=fail policy.iprev=192.0.2.9", "warning iprev: the relay's address has no name", "PTR"),
    ],
)  # fmt: skip
def test_each_result_is_judged_with_what_to_do(results: str, expected: str, advice: str) -> None:
    """A mail that passes by one method is not lost; one that passes by none is a fault."""
    spf = "Received-SPF: Fail (mx.zz: domain of acme.zz does not designate) client-ip=192.0.2.9; helo=relay.zz"
    sender = "idm@idm.acme.zz" if "mail.acme.zz" in results else "idm@acme.zz"
    found = lines(mail(f"Authentication-Results: mx.zz; {results}", spf, sender=sender))
    assert any(one.startswith(expected) and advice in one for one in found), found


FORGED = "Authentication-Results: mx.zz; spf=pass smtp.mailfrom=acme.zz; dkim=pass header.d=acme.zz"
HONEST = "Authentication-Results: mx.zz; spf=fail smtp.mailfrom=acme.zz"
HONEST_TOO = "Authentication-Results: MX.ZZ; dmarc=fail"
OTHER = "Authentication-Results: other.zz; spf=pass smtp.mailfrom=acme.zz"
HOP = "Received: from evil.zz by mx.zz; Mon, 30 Nov 2026 12:00:00 +0000"


@pytest.mark.parametrize(
    ("fields", "trusted", "spf", "dmarc", "named"),
    [
        ((HONEST, FORGED), None, "fault", "warning", "not judged, since anybody can write one: mx.zz"),
        ((HONEST, HOP, FORGED), "mx.zz", "fault", "warning", "not judged, since anybody can write one: mx.zz"),
        ((OTHER, HONEST, HONEST_TOO), "mx.zz", "fault", "fault", "not judged, since anybody can write one: other.zz"),
        ((HONEST, HONEST_TOO), None, "fault", "warning", "not judged, since anybody can write one: MX.ZZ"),
        ((HOP, HOP, HONEST), None, "fault", "warning", "those of mx.zz | None"),
    ],
)
def test_only_the_trusted_results_are_believed(
    fields: tuple[str, ...], trusted: str | None, spf: str, dmarc: str, named: str
) -> None:
    """The topmost, or those of the configured name up to the next hop; the sender may have written the others."""
    found = lines(mail(*fields), trusted)
    assert [one.split()[0] for one in found if " spf: " in one] == [spf]
    assert [one.split()[0] for one in found if " dmarc: " in one] == [dmarc]
    assert named in found[1]


def test_results_of_another_name_than_the_configured_one_are_not_believed() -> None:
    """The cure names the key."""
    found = lines(mail(FORGED), "mailbox.zz")
    assert (
        "warning authentication_results: no Authentication-Results in the mail are those of mailbox.zz; there are those of mx.zz | correct [doctor] trusted_authserv_id"
        in found[1]
    )
    assert len(found) == 2


def test_a_mail_without_results_says_what_to_do() -> None:
    """What the mail carries beside is shown, but not judged."""
    spf = "Received-SPF: Pass (mx.zz: ...) client-ip=192.0.2.9"
    arc = "ARC-Authentication-Results: i=1; mx.google.com; dkim=pass header.d=acme.zz; spf=pass (x) smtp.mailfrom=acme.zz"
    found = lines(mail(spf, arc))
    assert found[1].startswith("warning authentication_results: the mailbox wrote no Authentication-Results")
    assert "send a test mail to a mailbox that does" in found[1]
    assert found[2:] == [
        "ok received_spf: Received-SPF says pass (not judged: anybody can write it) | None",
        "ok arc: ARC of mx.google.com says dkim=pass, spf=pass (not judged: it may be about another hop) | None",
    ]


@pytest.mark.parametrize(
    ("sender", "message_id", "expected"),
    [
        ('"Acme, the (best) <x@y.zz>" <IDM@acme.zz>', OURS, "ok mail: the mail is from mail-sender (I***@acme.zz)"),
        ("idm@acme.zz (Acme)", OURS, "ok mail: the mail is from mail-sender"),
        ("Acme <idm@acme.zz>", "<x@eu-west-1.amazonses.com>", "ok mail: the mail is from i***@acme.zz; its Message-ID is the relay's"),
        ("Acme <login@relay.zz>", OURS, "warning mail: the mail is from l***@relay.zz, and mail-sender sends as i***@acme.zz"),
        ("undisclosed", OURS, "fault mail: the mail has no From, or none with an address"),
    ],
)  # fmt: skip
def test_whose_mail_it_is_is_said_first(sender: str, message_id: str, expected: str) -> None:
    """By its From, and by its Message-ID; no address is shown whole."""
    found = lines(mail(GMAIL, sender=sender, message_id=message_id))
    assert found[0].startswith(expected)
    assert not any("idm@" in one or "login@" in one for one in found)


def test_without_a_configuration_the_mail_is_judged_by_its_own_from() -> None:
    """Somebody may have the mail, and not the configuration."""
    found = lines(mail(GMAIL), sender=None)
    assert found[0].startswith("ok mail: the mail is from i***@acme.zz; without a configuration")
    assert "ok dmarc: DMARC passes for acme.zz | None" in found


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", "is empty"),
        (b"\r\n\r\n", "is empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Outlook's own format"),
        ("From: a@b.zz\n".encode("utf-16"), "UTF-16"),
        (b"<html><body>Original message</body></html>", "Show original"),
        (b"PK\x03\x04....", "an archive"),
        (bytes(range(256)) * 40, "holds no header of a mail"),
        (b"hello\nworld\n", "holds no header of a mail"),
        (b"Subject: x\n\nbody", "holds no header of a mail"),
        (b"\x00" * 100_000, "holds no header of a mail"),
    ],
)
def test_a_file_that_is_no_mail_gets_a_sentence(octets: bytes, expected: str) -> None:
    """It says what the file is, where that can be seen, and what to save instead."""
    (found,) = lines(octets)
    assert found.startswith("fault file: the file ")
    assert expected in found


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"From idm@acme.zz Mon Nov 30 12:00:00 2026\n", b"\r\n\r\n"])
def test_what_programs_put_before_a_mail_does_no_harm(start: bytes) -> None:
    """A byte order mark, the line of an mbox file, empty lines; and line ends of any kind."""
    octets = start + mail(GMAIL).replace(b"\r\n", b"\n")
    assert "ok dmarc: DMARC passes for acme.zz | None" in lines(octets)


HOSTILE = [
    mail("Authentication-Results: " + "(" * 10_000 + ")" * 10_000 + " mx.zz; spf=pass"),
    mail("Authentication-Results: mx.zz; spf=" + "(" * 700_000),
    mail("X-Spam-Status: " + "Yes, tests=" + "A," * 300_000),
    mail("X-Spamd-Result: default: True [9 / 9]; " + "SYMBOL_A(0.1)" * 60_000),
    mail("X-Forefront-Antispam-Report: " + ";SCL:9" * 100_000),
    mail(*(f"Authentication-Results: mx{number}.zz; spf=pass" for number in range(20_000))),
    mail("X-Long: " + "x" * 10_000_000),
    mail("X-Long: " + "\r\n ".join(["x"] * 2_000_000)),
    mail(sender="(" * 500_000 + "<idm@acme.zz>"),
    mail("Authentication-Results: mx.zz; " + "a=b;" * 200_000),
    b"From: \xff\xfe\x00 <idm@acme.zz>\r\nAuthentication-Results: \xff\x00; spf=\x1b[31mpass\r\n\r\n",
]


@pytest.mark.parametrize("octets", HOSTILE, ids=[f"{number}" for number in range(len(HOSTILE))])
def test_a_hostile_mail_is_judged_in_time_and_shows_nothing_that_a_terminal_obeys(octets: bytes) -> None:
    """Ten megabytes of headers, comments ten thousand deep, thousands of results, control characters."""
    started = time.process_time()
    found = lines(octets)
    assert time.process_time() - started < 2
    assert len(found) < 30
    assert all(one.isprintable() and len(one) < 1000 for one in found)


def test_no_more_than_a_megabyte_is_read() -> None:
    """What stands beyond counts as not there, and costs nothing."""
    found = lines(b"From: idm@acme.zz\r\nX-Long: " + b"x" * 1024 * 1024 + b"\r\n" + mail(GMAIL))
    assert found[1].startswith("warning authentication_results: the mailbox wrote no")


def test_the_body_is_never_shown() -> None:
    """It holds the link of a test mail, or of a real one."""
    assert not any("secret" in one for one in lines(mail(GMAIL)))


_PIECES = ["mx.zz", ";", "=", "spf", "pass", "dkim", "fail", "(", ")", '"', "\\", " ", "\r\n ", ".", "/", "1", "header.d", "reason", "@", "\0", "é", "none", "<", ">", "i=1"]  # fmt: skip


@given(st.lists(st.sampled_from(_PIECES), max_size=40), st.sampled_from(["Authentication-Results", "ARC-Authentication-Results", "From", "Received-SPF", "X-Spam-Status", "X-Spamd-Result", "X-Forefront-Antispam-Report"]))  # fmt: skip
def test_no_header_breaks_the_reader(pieces: list[str], name: str) -> None:
    """Whatever stands there, each finding is one line with what to do."""
    lines(mail(f"{name}: {''.join(pieces)}"))


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_no_octets_break_the_reader(octets: bytes) -> None:
    """Any file gets findings."""
    assert lines(octets)
    assert lines(b"From: " + octets)
