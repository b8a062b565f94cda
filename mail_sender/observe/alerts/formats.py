"""The body of an alert for each kind of receiver: our JSON, Slack-compatible, ntfy, Alertmanager (docs/alerts.md)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from mail_sender.observe.alerts.alert import Alert, Origin, Severity, fields
from mail_sender.observe.alerts.config import Format

TEST_KEY = "test"
"""The key of a test alert."""

_LINGER = timedelta(minutes=5)
"""For which Alertmanager keeps a test alert, and an alert after its next repetition is due."""
_FOREVER = timedelta(days=365)
_JSON = "application/json"
_PRIORITY: Mapping[Severity, str] = {Severity.CRITICAL: "urgent", Severity.WARNING: "high", Severity.INFO: "default"}
_SIGN: Mapping[str, str] = {"firing": "rotating_light", "resolved": "white_check_mark"}


@dataclass(frozen=True, slots=True)
class Body:
    """What is posted: the content, its type, and further headers."""

    content: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


def body(form: Format, alert: Alert, origin: Origin, repeat: timedelta) -> Body:
    """Return what a receiver of that form is sent; `repeat` is when the alert comes again (0: never)."""
    match form:
        case "json":
            return _json_of(fields(alert, origin))
        case "slack":
            return _json_of({"text": _escaped(_text(alert, origin))})
        case "ntfy":
            return _ntfy(alert, origin)
        case "alertmanager":
            return _json_of([_alertmanager(alert, origin, repeat)])


def _json_of(value: object) -> Body:
    return Body(json.dumps(value).encode(), _JSON)


def _text(alert: Alert, origin: Origin) -> str:
    advice = "" if alert.status == "resolved" else f"\nWhat to do: {alert.advice}"
    when = f"{alert.since:%Y-%m-%d %H:%M} UTC"
    return (
        f"[{_label(alert)}] mail-sender of {origin.instance}: {alert.summary}{advice}\nSince {when}, on {origin.host}"
    )


def _label(alert: Alert) -> str:
    return "RESOLVED" if alert.status == "resolved" else alert.severity.upper()


def _escaped(text: str) -> str:
    """Escape what Slack would take for a link or a mention (Slack, Formatting text: Escaping)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _ntfy(alert: Alert, origin: Origin) -> Body:
    """Return a message for a topic's URL (ntfy, Publishing)."""
    is_over = alert.status == "resolved"
    headers = {
        "title": f"[{_label(alert)}] mail-sender: {alert.key}",
        "priority": "default" if is_over else _PRIORITY[alert.severity],
        "tags": _SIGN[alert.status],
    }
    return Body(_text(alert, origin).encode(), "text/plain; charset=utf-8", headers)


def _alertmanager(alert: Alert, origin: Origin, repeat: timedelta) -> dict[str, object]:
    """Return an alert of Alertmanager's API v2, which keeps it until `endsAt`."""
    name = "".join(word.capitalize() for word in alert.key.split("_"))
    ends_at = alert.at if alert.status == "resolved" else alert.at + _lasting(alert, repeat)
    return {
        "labels": {
            "alertname": f"MailSender{name}",
            "service": "mail-sender",
            "severity": alert.severity.value,
            "instance": origin.instance,
            "host": origin.host,
        },
        "annotations": {"summary": alert.summary, "description": alert.advice},
        "startsAt": alert.since.isoformat(),
        "endsAt": ends_at.isoformat(),
    }


def _lasting(alert: Alert, repeat: timedelta) -> timedelta:
    if alert.key == TEST_KEY:
        return _LINGER
    return repeat + _LINGER if repeat else _FOREVER
