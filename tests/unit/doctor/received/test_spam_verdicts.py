"""What spam filters write, as they really write it."""

import pytest

from mail_sender.doctor.received.mail_headers import MailHeaders
from mail_sender.doctor.received.spam_verdicts import SpamVerdict, verdicts


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("x-spam-status", "Yes, score=7.1 required=5.0 tests=BAYES_99,HTML_MESSAGE, DKIM_SIGNED autolearn=no", SpamVerdict("SpamAssassin", True, "7.1 of 5.0, BAYES_99, HTML_MESSAGE, DKIM_SIGNED")),
        ("x-spam-status", "No, hits=-1.2 tagged_above=-999 required=6.2", SpamVerdict("SpamAssassin", False, "-1.2 of 6.2")),
        ("x-spam-flag", "YES", SpamVerdict("X-Spam-Flag", True)),
        ("x-spam", "Yes", SpamVerdict("X-Spam", True)),
        ("x-spamd-result", "default: False [2.10 / 15.00]; HFILTER_HOSTNAME(2.50)[x]; R_SPF_ALLOW(-0.20)[+mx]; MIME_GOOD(-0.10)[]", SpamVerdict("Rspamd", False, "2.10 of 15.00, HFILTER_HOSTNAME")),
        ("x-spamd-result", "default: True [16.1 / 15.0]", SpamVerdict("Rspamd", True, "16.1 of 15.0")),
        ("x-rspamd-action", "add header", SpamVerdict("Rspamd", True, "add header")),
        ("x-rspamd-action", "no action", SpamVerdict("Rspamd", False, "no action")),
        ("x-ms-exchange-organization-scl", "5", SpamVerdict("Microsoft", True, "SCL 5")),
        ("x-ms-exchange-organization-scl", "-1", SpamVerdict("Microsoft", False, "SCL -1")),
        ("x-forefront-antispam-report", "CIP:1.2.3.4;CTRY:DE;SCL:1;SRV:;SFV:SPM;CAT:SPM;DIR:INB;", SpamVerdict("Microsoft", True, "SCL 1, SFV SPM, CAT SPM")),
        ("x-forefront-antispam-report", "SCL:1;CAT:SPOOF", SpamVerdict("Microsoft", True, "SCL 1, CAT SPOOF")),
        ("x-microsoft-antispam", "BCL:0;ARA:1444", SpamVerdict("Microsoft", False, "bulk level 0")),
        ("x-microsoft-antispam", "BCL:8;", SpamVerdict("Microsoft", True, "bulk level 8")),
        ("x-proofpoint-spam-details", "rule=notspam policy=default score=0 spamscore=0", SpamVerdict("Proofpoint", False, "notspam, score 0")),
        ("x-proofpoint-spam-details", "rule=spam policy=default score=99", SpamVerdict("Proofpoint", True, "spam, score 99")),
        ("x-barracuda-spam-status", "No, SCORE=0.50 using global scores of TAG_LEVEL=3.5 KILL_LEVEL=9.0", SpamVerdict("Barracuda", False, "0.50 of 3.5")),
        ("x-gm-spam", "0", SpamVerdict("Gmail", False)),
        ("x-gm-phishy", "1", SpamVerdict("Gmail (phishing)", True)),
        ("x-ses-spam-verdict", "FAIL", SpamVerdict("Amazon SES", True, "fail")),
        ("x-vr-spamstate", "OK", SpamVerdict("OVHcloud", False, "ok")),
        ("x-gmx-antispam", "0 (Mail was not recognized as spam);Detail=V3", SpamVerdict("GMX", False, "code 0")),
        ("x-ui-filterresults", "notjunk:1;V03:K0:abc", SpamVerdict("GMX, web.de", False)),
        ("x-ui-filterresults", "junk:10;V03:K0:abc", SpamVerdict("GMX, web.de", True)),
        ("x-bogosity", "Spam, tests=bogofilter", SpamVerdict("Bogofilter", True, "spam")),
        ("x-dspam-result", "Innocent", SpamVerdict("DSPAM", False, "innocent")),
        *((name, value, None) for name in ("x-spam-status", "x-spamd-result", "x-forefront-antispam-report", "x-ms-exchange-organization-scl", "x-proofpoint-spam-details", "x-ui-filterresults") for value in ("", "nonsense", "1.2.3", ";;")),
    ],
)  # fmt: skip
def test_each_filters_words_are_read(name: str, value: str, expected: SpamVerdict | None) -> None:
    """Spam or not, the score with its limit, and the rules; nonsense is left out."""
    found = list(verdicts(MailHeaders(((name, value),))))
    assert found == ([expected] if expected else [])


def test_the_topmost_field_of_a_name_counts() -> None:
    """Filters on the way wrote theirs before the mailbox's."""
    (found,) = verdicts(MailHeaders((("x-spam-flag", "YES"), ("x-spam-flag", "NO"))))
    assert found.is_spam
