"""What a token endpoint answers: a token, a refusal with its cure, or rubbish."""

import json

import pytest

from mail_sender.names.secret import Secret
from mail_sender.relay.oauth import grant, refusals
from mail_sender.relay.oauth.access_token import UNKNOWN_LIFE, NoToken, TokenFault
from mail_sender.relay.oauth.config import Flow, OAuthConfig
from mail_sender.web.post import Answer

SECRET = "the-client-secret-7Qv"
CONFIG = OAuthConfig(Flow.CLIENT_CREDENTIALS, token_url="https://login.example/token", client_secret=Secret(SECRET))


def fault(status: int, body: object, headers: dict[str, str] | None = None) -> TokenFault:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(NoToken) as raised:
        grant.read(Answer(status, headers or {}, content), CONFIG, CONFIG.secrets)
    return raised.value.fault


def error(name: str, description: str = "") -> dict[str, str]:
    return {"error": name, "error_description": description}


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (3599, 3599),
        ("3599", 3599),
        (None, UNKNOWN_LIFE),
        (0, UNKNOWN_LIFE),
        ("soon", UNKNOWN_LIFE),
        (True, UNKNOWN_LIFE),
        (10**400, UNKNOWN_LIFE),
    ],
)
def test_a_token_comes_with_its_life(expires_in: object, seconds: float) -> None:
    """Some endpoints write the seconds as a text, some leave them out (RFC 6749, section 5.1)."""
    values = {"access_token": "t", "token_type": "bearer", "expires_in": expires_in, "refresh_token": "r"}
    found = grant.read(Answer(200, {}, json.dumps(values).encode()), CONFIG, ())
    assert (found.access_token.get_secret_value(), found.lifetime) == ("t", seconds)
    assert found.refresh_token is not None


@pytest.mark.parametrize(
    ("status", "body", "lasting", "seen", "cure"),
    [
        (401, error("invalid_client", "AADSTS7000222: expired. Trace ID: 1"), True, "(AADSTS7000222): the client secret has expired", "new client secret"),
        (401, error("invalid_client", "AADSTS7000215: Invalid"), True, "the client secret is wrong", "not its Secret ID"),
        (400, error("unauthorized_client", "AADSTS700016: x"), True, "no such app", "client_id"),
        (400, error("invalid_grant", "AADSTS65001: x"), True, "consented", "grant consent"),
        (400, error("invalid_grant"), True, "invalid_grant", "client_secret"),
        (400, error("invalid_request", "AADSTS90033: transient"), False, "busy", "passes by itself"),
        (400, error("strange", f"you said {SECRET}"), True, "answers 400 strange: you said ***", "docs/relays.md"),
        (400, error("temporarily_unavailable"), False, "400 temporarily_unavailable", "passes by itself"),
        (503, b"<html>busy", False, "answers 503", "passes by itself"),
        (200, b"<html>a login page", False, "holds no access_token", "token_url"),
        (200, b"[" * 60_000, False, "holds no access_token", "token_url"),
        (200, {"access_token": ["t"]}, False, "holds no access_token", "token_url"),
        (200, {"access_token": "a\r\nb"}, True, "cannot be said to a relay", "token_url"),
        (200, {"access_token": "t" * 20_000}, True, "cannot be said to a relay", "token_url"),
        (200, {"access_token": "t", "token_type": "mac"}, True, "another type than Bearer", "token_url"),
        (404, b"nothing", True, "not as a token endpoint", "token_url"),
        (400, {"error": 7}, True, "not as a token endpoint", "token_url"),
        (307, b"", True, "not followed", "token_url"),
    ],
)  # fmt: skip
def test_what_is_no_token_is_said_with_what_to_do(
    status: int, body: object, lasting: bool, seen: str, cure: str
) -> None:
    """Where it comes from, what it says, and whether a person has to repair it; never a secret that it repeats."""
    found = fault(status, body)
    assert found.detail.startswith("the token endpoint at login.example ")
    assert seen in found.detail
    assert cure in found.advice
    assert found.lasting is lasting
    assert SECRET not in found.detail


def test_a_description_with_an_address_or_a_token_is_not_shown_as_it_is() -> None:
    """Whatever an endpoint repeats."""
    found = fault(400, error("odd", "for ann@example.com: eyJhbGciOiJub25l.eyJzdWIiOiJ4.sig"))
    assert "ann@" not in found.detail
    assert "eyJ" not in found.detail


@pytest.mark.parametrize(("value", "rest"), [("120", 120.0), ("86400", 300.0), ("soon", None), ("", None)])
def test_a_wait_that_is_asked_for_is_kept_within_bounds(value: str, rest: float | None) -> None:
    """Of Retry-After, its seconds (RFC 9110, section 10.2.3)."""
    assert fault(429, b"", {"retry-after": value}).retry_after == rest


def test_a_wait_that_is_asked_for_may_be_a_date() -> None:
    """By the endpoint's own clock, as everywhere."""
    headers = {"date": "Mon, 30 Nov 2026 20:00:00 GMT", "retry-after": "Mon, 30 Nov 2026 20:01:00 GMT"}
    assert fault(429, b"", headers).retry_after == 60.0


@pytest.mark.parametrize("rule", refusals.rules(), ids=lambda rule: rule.said[:40])
def test_each_known_refusal_is_found_by_its_example(rule: refusals.Rule) -> None:
    """No rule hides a later one, and none is dead."""
    values = json.loads(rule.example)
    found = refusals.known(rule.flow or Flow.CLIENT_CREDENTIALS, values["error"], values.get("error_description", ""))
    assert found is not None
    assert (found.said, found.advice) == (rule.said, rule.advice)


def test_an_error_that_is_no_name_is_not_repeated() -> None:
    """It may be a secret that somebody quotes."""
    found = refusals.known(Flow.REFRESH_TOKEN, f"invalid_client {SECRET}", "")
    assert found is not None
    assert found.name == "a refusal"
