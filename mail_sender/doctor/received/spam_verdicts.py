"""What spam filters wrote into a mail: one row for each header field of a well-known filter.

A row reads the value of its field. What makes no sense to it is left out: these fields are not standardised, and
anybody may write one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mail_sender.doctor.received.mail_headers import MailHeaders

_MOST_RULES = 6
_SPAM_SCL = 5  # Microsoft documents 5 and 6 as spam, 7 to 9 as spam with high confidence, -1 as not filtered
_BULK_BCL = 7
_BAD_CATEGORIES = frozenset(
    {"SPM", "HSPM", "PHSH", "HPHSH", "HPHISH", "SPOOF", "BULK", "DIMP", "UIMP", "GIMP", "MALW"}
)


@dataclass(frozen=True, slots=True)
class SpamVerdict:
    """What one filter says: its name, whether the mail is spam, and its score and rules as a text."""

    filter: str
    is_spam: bool
    detail: str = ""


_Reading = Callable[[str], tuple[bool, str] | None]


def _yes(value: str) -> tuple[bool, str] | None:
    return (value.strip().lower() in {"yes", "1", "true", "spam"}, "") if value.strip() else None


def _spamassassin(value: str) -> tuple[bool, str] | None:
    """Read `Yes, score=7.1 required=5.0 tests=A,B,C`."""
    match = re.match(r"\s*(yes|no)\b", value, re.IGNORECASE)
    if not match:
        return None
    score = re.search(r"(?:score|hits)=(-?[\d.]{1,10})", value, re.IGNORECASE)
    required = re.search(r"(?:required|tag_level|kill_level)=(-?[\d.]{1,10})", value, re.IGNORECASE)
    tests = re.search(r"tests=\[?([A-Za-z0-9_, =.\t-]*)", value)
    rules = re.findall(r"\b[A-Z][A-Z0-9_]{3,}\b", tests[1])[:_MOST_RULES] if tests else []
    parts = [f"{score[1]}{f' of {required[1]}' if required else ''}"] if score else []
    return match[1].lower() == "yes", ", ".join([*parts, *rules])


def _rspamd(value: str) -> tuple[bool, str] | None:
    """Read `default: False [2.10 / 15.00]; SYMBOL(0.10)[...]; ...`; True is a mail that the filter acts on."""
    match = re.match(
        r"[^:;]{0,100}:\s*(true|false)\s*\[\s*(-?[\d.]{1,10})\s*/\s*(-?[\d.]{1,10})\s*\]", value, re.IGNORECASE
    )
    if not match:
        return None
    bad = [
        name
        for name, score in re.findall(r"\b([A-Z][A-Z0-9_]{3,60})\((\d[\d.]{0,9})\)", value)
        if float_of(score) > 0.5
    ]
    return match[1].lower() == "true", ", ".join([f"{match[2]} of {match[3]}", *bad[:_MOST_RULES]])


def float_of(text: str) -> float:
    """Return a number, or 0 for what is none, such as 1.2.3."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _action(value: str) -> tuple[bool, str] | None:
    action = value.strip().lower()[:40]
    return (action not in {"no action", "accept"}, action) if action else None


def _scl(value: str) -> tuple[bool, str] | None:
    match = re.fullmatch(r"\s*(-?\d{1,2})\s*", value)
    return (int(match[1]) >= _SPAM_SCL, f"SCL {match[1]}") if match else None


def _forefront(value: str) -> tuple[bool, str] | None:
    """Read `CIP:...;SCL:1;SFV:NSPM;CAT:NONE;...`."""
    found = dict(re.findall(r"(?:^|;)\s*(SCL|SFV|CAT):([A-Za-z0-9-]{0,12})", value))
    if not found:
        return None
    scl = re.fullmatch(r"-?\d{1,2}", found.get("SCL", ""))
    is_spam = (scl is not None and int(scl[0]) >= _SPAM_SCL) or found.get("SFV") == "SPM"
    detail = ", ".join(f"{name} {text}" for name, text in found.items() if text)
    return is_spam or found.get("CAT", "").upper() in _BAD_CATEGORIES, detail


def _bulk(value: str) -> tuple[bool, str] | None:
    match = re.search(r"\bBCL:(\d)", value)
    return (int(match[1]) >= _BULK_BCL, f"bulk level {match[1]}") if match else None


def _proofpoint(value: str) -> tuple[bool, str] | None:
    match = re.search(r"\brule=(\w{1,60})", value)
    score = re.search(r"\bscore=(-?\d{1,4})", value)
    if not match:
        return None
    rule = match[1].lower()
    is_spam = not rule.startswith("not") and any(
        word in rule for word in ("spam", "phish", "malware", "bulk", "quarantine")
    )
    return is_spam, f"{rule}{f', score {score[1]}' if score else ''}"


def _pass_or_fail(value: str) -> tuple[bool, str] | None:
    word = value.strip().upper()
    return (word == "FAIL", word.lower()) if word in {"PASS", "FAIL", "GRAY"} else None


def _ovh(value: str) -> tuple[bool, str] | None:
    word = value.strip().upper()
    return (word not in {"OK", "HAM"}, word.lower()) if re.fullmatch(r"[A-Z]{2,12}", word) else None


def _gmx(value: str) -> tuple[bool, str] | None:
    """Read `0 (Mail was not recognized as spam)`; or `notjunk:1;...`, `junk:10;...` of its newer filter."""
    if match := re.match(r"\s*(not)?junk:", value):
        return not match[1], ""
    match = re.match(r"\s*(-?\d{1,3})(?:\s|$)", value)
    return (int(match[1]) > 0, f"code {match[1]}") if match else None


def _bogofilter(value: str) -> tuple[bool, str] | None:
    word = value.strip().lower().partition(",")[0]
    return (
        (word in {"spam", "yes"}, word)
        if word in {"spam", "yes", "ham", "no", "unsure", "innocent", "whitelisted"}
        else None
    )


_FIELDS: Mapping[str, tuple[str, _Reading]] = {
    "x-spam-status": ("SpamAssassin", _spamassassin),
    "x-spam-flag": ("X-Spam-Flag", _yes),
    "x-spam": ("X-Spam", _yes),
    "x-spamd-result": ("Rspamd", _rspamd),
    "x-rspamd-action": ("Rspamd", _action),
    "x-ms-exchange-organization-scl": ("Microsoft", _scl),
    "x-forefront-antispam-report": ("Microsoft", _forefront),
    "x-microsoft-antispam": ("Microsoft", _bulk),
    "x-proofpoint-spam-details": ("Proofpoint", _proofpoint),
    "x-barracuda-spam-status": ("Barracuda", _spamassassin),
    "x-barracuda-spam-flag": ("Barracuda", _yes),
    "x-gm-spam": ("Gmail", _yes),
    "x-gm-phishy": ("Gmail (phishing)", _yes),
    "x-ses-spam-verdict": ("Amazon SES", _pass_or_fail),
    "x-vr-spamstate": ("OVHcloud", _ovh),
    "x-ovh-spam-status": ("OVHcloud", _ovh),
    "x-gmx-antispam": ("GMX", _gmx),
    "x-ui-filterresults": ("GMX, web.de", _gmx),
    "x-bogosity": ("Bogofilter", _bogofilter),
    "x-dspam-result": ("DSPAM", _bogofilter),
}


def verdicts(headers: MailHeaders) -> Iterator[SpamVerdict]:
    """Yield what each filter says, by the topmost field of its name."""
    for name, (filter_name, reading) in _FIELDS.items():
        value = headers.first(name)
        found = reading(value) if value is not None else None
        if found:
            yield SpamVerdict(filter_name, *found)
