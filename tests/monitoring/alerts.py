"""What each alert of the example is about: series that make it fire, and for how long they must last.

`promtool test rules` reads JSON as it reads YAML. A series is written in its language: `0+1x10` counts up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mail_sender.observe.gauges import CONDITIONS

JOB = 'job="mail-sender",instance="here:9310"'
DAY = 86_400


@dataclass(frozen=True)
class Case:
    """The series by their name and labels, with their values minute by minute, and the minutes until it fires."""

    series: Mapping[str, str]
    minutes: int


def _down(condition: str) -> dict[str, str]:
    return {f'mail_sender_condition_up{{{JOB},condition="{condition}"}}': "1x2 0x90"}


def _ends(name: str, days: int) -> dict[str, str]:
    return {f'mail_sender_expiry_timestamp_seconds{{{JOB},name="{name}"}}': f"{days * DAY}x120"}


FIRING = {
    "MailSenderMissing": Case({'mail_sender_standing_by{job="mail-sender",instance="other:9310"}': "1x60"}, 2),
    "MailSenderHangs": Case({f"mail_sender_alive{{{JOB}}}": "1x2 0x60"}, 4),
    "MailWaitsTooLong": Case({f"mail_sender_oldest_waiting_seconds{{{JOB}}}": "600x2 601x60"}, 4),
    "MailRelayDown": Case(
        {
            f'mail_sender_breaker_state{{{JOB},state="closed"}}': "1x2 0x60",
            f'mail_sender_relay_carries{{{JOB},relay="first"}}': "1x2 0x60",
        },
        8,
    ),
    "MailThroughFallback": Case(
        {
            f'mail_sender_breaker_state{{{JOB},state="closed"}}': "1x2 0x60",
            f'mail_sender_relay_carries{{{JOB},relay="fallback_1"}}': "0x2 1x60",
        },
        8,
    ),
    "MailPollsFail": Case(_down("server"), 8),
    "MailNotDelivered": Case(
        {f'mail_sender_deliveries_finished_total{{{JOB},kind="test_message_v1",state="abandoned"}}': "0x2 1x60"}, 3
    ),
    "MailSenderTokenExpires": Case(_ends("token", 13), 0),
    "MailCertificateExpires": Case(_ends("relay_certificate", 13), 0),
    "MailLedgerUnusable": Case(_down("ledger"), 4),
    "MailLedgerDiskFull": Case({f"mail_sender_ledger_free_bytes{{{JOB}}}": "2e9x2 5e7x60"}, 8),
    "MailHeld": Case(_down("template"), 8),
    "MailNotMarked": Case({f"mail_sender_unmarked_messages{{{JOB}}}": "0x2 3x60"}, 18),
    "MailPolledByNobody": Case({f"mail_sender_polling{{{JOB}}}": "1x2 0x60"}, 5),
    "MailSenderWarns": Case(_down("domain"), 63),
}
"""Each alert, by its name."""

WELL = {
    f"mail_sender_alive{{{JOB}}}": "1x120",
    f"mail_sender_oldest_waiting_seconds{{{JOB}}}": "600x120",
    f"mail_sender_unmarked_messages{{{JOB}}}": "0x120",
    f"mail_sender_polling{{{JOB}}}": "1x120",
    'mail_sender_polling{job="mail-sender",instance="other:9310"}': "0x120",
    f"mail_sender_ledger_free_bytes{{{JOB}}}": "2e9x120",
    f'mail_sender_breaker_state{{{JOB},state="closed"}}': "1x120",
    f'mail_sender_breaker_state{{{JOB},state="open"}}': "0x120",
    f'mail_sender_deliveries_finished_total{{{JOB},kind="test_message_v1",state="sent"}}': "0+5x120",
    f'mail_sender_deliveries_finished_total{{{JOB},kind="test_message_v1",state="failed"}}': "0+1x120",
    f'mail_sender_deliveries_finished_total{{{JOB},kind="test_message_v1",state="abandoned"}}': "7x120",
    **{f'mail_sender_condition_up{{{JOB},condition="{name}"}}': "1x120" for name in CONDITIONS},
    **_ends("token", 15),
}
"""A sender that is well, at work, and now and then refused a recipient."""


def unit_tests(rules: Path) -> dict[str, Any]:
    """Return the file for `promtool test rules`: each alert fires at its minute, not one before; none for a sender that is well."""
    tests = [_test(name, case) for name, case in FIRING.items()]
    tests.append({"interval": "1m", "input_series": _series(WELL), "promql_expr_test": [_asked("ALERTS", 100, ())]})
    return {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}


def _test(name: str, case: Case) -> dict[str, Any]:
    fires = f'ALERTS{{alertname="{name}",alertstate="firing"}}'
    before = [_asked(f"count({fires})", case.minutes - 1, ())] if case.minutes else []
    return {
        "interval": "1m",
        "input_series": _series(case.series),
        "promql_expr_test": [*before, _asked(f"count({fires})", case.minutes, ({"labels": "{}", "value": 1},))],
    }


def _series(series: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in series.items()]


def _asked(expression: str, minute: int, samples: tuple[dict[str, object], ...]) -> dict[str, Any]:
    return {"expr": expression, "eval_time": f"{minute}m", "exp_samples": list(samples)}
