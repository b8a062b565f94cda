"""Extra headers: which are refused, and why."""

import pytest

from tests.support.config_files import Files, only


def test_a_header_is_set_once(files: Files) -> None:
    """To programs that read it, `X-Foo` and `x-foo` are one."""
    fault = only(files.faults("[headers]\nX-Foo = 'a'\nx-foo = 'b'\n"))
    assert (fault.key, fault.found) == ("headers.x-foo", "is set twice")


@pytest.mark.parametrize(
    "name",
    ["From", "to", "SUBJECT", "Bcc", "Cc", "Date", "Message-ID", "Reply-To", "Sender", "Content-Type", "MIME-Version",
     "Auto-Submitted", "Return-Path", "Received", "DKIM-Signature", "Content-Transfer-Encoding", "Resent-From"],
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
