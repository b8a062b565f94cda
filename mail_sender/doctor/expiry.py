"""What ends soon: a certificate or a token, and from when on that is worth a warning."""

from datetime import datetime, timedelta

from mail_sender.doctor.finding import Finding, Topic
from mail_sender.source.token import WARN_BEFORE as TOKEN_WARN_BEFORE
from mail_sender.source.token import Claims
from mail_sender.tls.certificate import URGENT_BEFORE, WARN_BEFORE, Certificate

_A_DAY = timedelta(days=1)
_RENEW = (
    "make a new one in time: kanidm service-account api-token generate NAME mail-sender --readwrite, "
    "and put it into the config"
)


def of_certificate(topic: Topic, check: str, place: str, certificate: Certificate, now: datetime) -> Finding:
    """Return how long a certificate that is good now stays good."""
    left = certificate.ends - now
    seen = f"{place}: {certificate} ({_days(left)})"
    if certificate.is_pinned:
        return _of_pinned(topic, check, seen, left)
    advice = "renew it: when it ends, nothing is sent any more"
    if left < URGENT_BEFORE:
        return topic.fault(check, seen, advice)
    if left < WARN_BEFORE:
        return topic.warning(check, seen, advice)
    return topic.ok(check, seen)


def _of_pinned(topic: Topic, check: str, seen: str, left: timedelta) -> Finding:
    """Return how long one stays good that is taken after its end as well: nothing ends with it."""
    if left < WARN_BEFORE:
        return topic.warning(check, seen, "mail goes on, because it is pinned; a renewed one may need another pin")
    return topic.ok(check, seen)


def of_token(topic: Topic, claims: Claims, now: datetime) -> Finding:
    """Return how long a token that the server takes stays good, by its own words."""
    if claims.is_persons:
        advice = f"use a service account's token instead: {_RENEW}"
        return topic.warning("token_expiry", "the token is a person's login, which ends", advice)
    if claims.expires is None:
        return topic.ok("token_expiry", "the token does not expire")
    left = claims.expires - now
    seen = f"the token expires on {claims.expires:%Y-%m-%d} ({_days(left)})"
    if left < TOKEN_WARN_BEFORE:
        return topic.warning("token_expiry", seen, _RENEW)
    return topic.ok("token_expiry", seen)


def _days(left: timedelta) -> str:
    days = left // _A_DAY
    if left <= timedelta(0):
        return "it has expired"
    return "less than a day left" if days < 1 else "1 day left" if days == 1 else f"{days} days left"
