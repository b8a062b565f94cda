"""The grammar of Authentication-Results: the examples of RFC 8601, appendix B, and what systems make of it."""

import pytest

from mail_sender.doctor.received.authentication_results import MethodResult, parse, parse_arc


@pytest.mark.parametrize(
    ("value", "authserv_id", "results"),
    [
        ("example.org 1; none", "example.org", ()),
        ("example.com; spf=pass smtp.mailfrom=example.net", "example.com", (("spf", "pass", "", (("smtp.mailfrom", "example.net"),)),)),
        (
            'example.com; auth=pass (cram-md5) smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net; sender-id=fail header.from=example.com; dkim=pass (good signature) header.d=example.com',
            "example.com",
            (
                ("auth", "pass", "", (("smtp.auth", "sender@example.net"),)),
                ("spf", "pass", "", (("smtp.mailfrom", "example.net"),)),
                ("sender-id", "fail", "", (("header.from", "example.com"),)),
                ("dkim", "pass", "", (("header.d", "example.com"),)),
            ),
        ),
        (
            "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail policy (A dot can go here) . (like that) expired (this surprised me) = (as I wasn't expecting it) 1362471462",
            "foo.example.net",
            (("dkim", "fail", "", (("policy.expired", "1362471462"),)),),
        ),
        ('"mx;1"; dkim=fail reason="key (too) \\"short\\"" header.d=x.zz', "mx;1", (("dkim", "fail", 'key (too) "short"', (("header.d", "x.zz"),)),)),
        ("MX.zz; DKIM=Pass Header.D=X.zz", "MX.zz", (("dkim", "pass", "", (("header.d", "X.zz"),)),)),
        ("mx.zz (a (b) c); spf=pass (x (y) smtp.mailfrom=evil.zz) smtp.mailfrom=x.zz", "mx.zz", (("spf", "pass", "", (("smtp.mailfrom", "x.zz"),)),)),
        # What no grammar has, and systems write.
        ("spf=pass smtp.mailfrom=x.zz;compauth=pass reason=100", "", (("spf", "pass", "", (("smtp.mailfrom", "x.zz"),)), ("compauth", "pass", "100", ()))),
        ("mx.zz spf=pass smtp.mailfrom=x.zz", "mx.zz", (("spf", "pass", "", (("smtp.mailfrom", "x.zz"),)),)),
        ("mx.zz; dkim=pass header.b=abc== header.d=x.zz", "mx.zz", (("dkim", "pass", "", (("header.b", "abc=="), ("header.d", "x.zz"))),)),
        ("mx.zz; dkim=fail bad key header.d=x.zz;;", "mx.zz", (("dkim", "fail", "", (("header.d", "x.zz"),)),)),
        ("", "", ()),
        ("(never ends", "", ()),
        ("=;=", "", ()),
    ],
)  # fmt: skip
def test_a_value_is_read_as_far_as_it_makes_sense(
    value: str, authserv_id: str, results: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...]
) -> None:
    """Comments anywhere, quoted strings, versions, several methods, reasons; and slips of well-known systems."""
    found = parse(value)
    assert (found.authserv_id, found.results) == (authserv_id, tuple(MethodResult(*one) for one in results))


def test_arc_has_an_instance_before_its_name() -> None:
    """RFC 8617, section 4.1.1."""
    assert parse_arc(" i=1; mx.zz; spf=pass").authserv_id == "mx.zz"
