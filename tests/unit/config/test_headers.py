"""Extra headers: which are refused, and why."""

import pytest

from tests.support.config_files import Files, only


def test_a_header_is_set_once(files: Files) -> None:
    """To programs that read it, `X-Foo` and `x-foo` are one."""
    fault = only(files.faults("[headers]\nX-Foo = 'a'\nx-foo = 'b'\n"))
    assert (fault.key, fault.found) == ("headers.x-foo", "is set twice")


@pytest.mark.parametrize(
    "name",
    ["From", "to", "SUBJECT", "Date", "Message-ID", "Reply-To", "Content-Type", "MIME-Version", "Auto-Submitted",
     "Content-Transfer-Encoding"],
)  # fmt: skip
def test_a_header_of_ours_cannot_be_set(files: Files, name: str) -> None:
    """What mail-sender writes itself is refused among the extra headers, in any case."""
    fault = only(files.faults(f"[headers]\n{name} = 'x'\n"))
    assert (fault.key, fault.found) == (f"headers.{name}", "is written by mail-sender itself")


def test_an_extra_header_that_makes_too_long_a_line_is_a_fault(files: Files) -> None:
    """Relays refuse such a line, or break it where they like."""
    files.load(f'[headers]\nX-SES-SOURCE-ARN = "{"x" * 900}"\n')
    (fault,) = files.faults(f'[headers]\nX-SES-SOURCE-ARN = "{"x" * 980}"\n')
    assert "980 characters" in str(fault)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Sender", "RFC 5322, section 3.6.2"), ("sender", "mail_from_address"), ("Bcc", "one recipient"),
        ("CC", "one recipient"), ("Return-Path", "delivers the mail"), ("Received", "each relay"),
        ("DKIM-Signature", "relay that signs"), ("Content-Disposition", "attachment"), ("Resent-From", "sends on"),
    ],
)  # fmt: skip
def test_a_header_that_is_not_a_senders_to_write_is_refused_for_its_own_reason(
    files: Files, name: str, reason: str
) -> None:
    """mail-sender does not write these, and says why nobody may set them."""
    fault = only(files.faults(f"[headers]\n{name} = 'x'\n"))
    assert reason in fault.found
    assert "mail-sender itself" not in fault.found


SECRET = "pa55-w0rd-s3cr3t"


@pytest.mark.parametrize(
    "name",
    ["mail_password", "mail_username", "MAIL_PASSWORD", "Mail-Password", "token", "Token", "schedule",
     "smtp_password", "password", "User", "x_tag", "_", "path", "html", "message_retries", "log-format", "headers"],
)  # fmt: skip
def test_a_key_of_ours_is_no_header(files: Files, name: str) -> None:
    """Appended below a last `[headers]`, a password would be mailed to everybody; no header has a `_` in its name."""
    fault = only(files.faults(f"[headers]\nX-Tag = 'one'\n{name} = '{SECRET}'\n"))
    assert (fault.key, fault.line) == (f"headers.{name}", 11)
    assert "a key of the configuration" in fault.found
    assert "above the table [headers]" in fault.expected
    assert SECRET not in str(fault)


@pytest.mark.parametrize(
    ("tables", "key", "place"),
    [
        (f"[observe]\nmail_password = '{SECRET}'\n", "observe.mail_password", "above the table [observe]"),
        (f"[brand]\ntoken = '{SECRET}'\n", "brand.token", "above the table [brand]"),
        (f"[templates.language_rules]\ntoken = '{SECRET}'\n", "templates.language_rules.token", "at the top"),
        (
            f"[templates.language_rules]\nmail_password = '{SECRET}'\n",
            "templates.language_rules.mail_password",
            "top",
        ),
        (f"[smtp]\nmail_password = '{SECRET}'\n", "smtp.mail_password", "above the table [smtp]"),
        ("[observe]\nmessage_retries = 3\n", "observe.message_retries", "write it in [retry]"),
        ("[relay]\nconnect_timeout = 3\n", "relay.connect_timeout", "client config"),
        ("[headers]\nverify_ca = false\n", "headers.verify_ca", "client config"),
        ("[headers]\nuri = 'https://x'\n", "headers.uri", "client config"),
        ("[headers]\nmail_connect_timeout_seconds = 15\n", "headers.mail_connect_timeout_seconds", "at the top"),
    ],
)
def test_a_key_in_the_wrong_table_is_told_its_place(files: Files, tables: str, key: str, place: str) -> None:
    """Whichever table is the last one; what stands there may be a secret, and is not shown."""
    fault = only(files.faults(tables))
    assert fault.key == key
    assert place in fault.expected
    assert SECRET not in str(fault)


def test_a_header_that_was_never_filled_in_is_a_fault(files: Files) -> None:
    """Like every other value."""
    assert "placeholder" in only(files.faults("[headers]\nX-SES-CONFIGURATION-SET = '${SET}'\n")).found


@pytest.mark.parametrize(
    "header",
    ["List-Unsubscribe = '<https://example.com/u?x=1>'", "List-Unsubscribe = '<mailto:u@example.com>'",
     "List-Id = '<idm.example.com>'", "X-SMTPAPI = '{\"category\": [\"idm\"]}'", "Feedback-ID = '1:idm:reset:example'"],
)  # fmt: skip
def test_a_header_as_providers_want_it_is_taken(files: Files, header: str) -> None:
    """Angle brackets and braces are part of many headers."""
    files.load(f"[headers]\n{header}\n")


def test_a_header_with_the_value_of_a_secret_is_a_fault(files: Files) -> None:
    """Whatever its name is."""
    fault = only(files.faults("[headers]\nX-Login = 'idm:correct horse'\n"))
    assert "the value of mail_password" in fault.found
    assert "correct horse" not in str(fault)
