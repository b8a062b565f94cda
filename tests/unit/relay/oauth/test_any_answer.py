"""Whatever an endpoint, a program or a relay says ends in a token, or in words; never in a traceback."""

import base64
import json
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from mail_sender.names.secret import Secret
from mail_sender.relay.oauth import bearer, grant, printed_token
from mail_sender.relay.oauth.access_token import Grant, NoToken, TokenFault
from mail_sender.relay.oauth.config import Flow, OAuthConfig
from mail_sender.web.post import Answer

SECRET = "the-client-secret-7Qv"
CONFIG = OAuthConfig(Flow.REFRESH_TOKEN, token_url="https://login.example/token", client_secret=Secret(SECRET))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
NAMES = ("access_token", "token_type", "expires_in", "refresh_token", "error", "error_description")
OBJECTS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, PLAIN))
BODIES = st.binary() | OBJECTS.map(lambda values: json.dumps(values).encode()) | PLAIN.map(json.dumps).map(str.encode)
HEADERS = st.fixed_dictionaries({}, optional={"retry-after": st.text(), "location": st.text()})


def outcome(of: Callable[[], Grant]) -> Grant | TokenFault:
    try:
        return of()
    except NoToken as error:
        return error.fault


@given(st.integers(100, 599), HEADERS, BODIES)
def test_any_answer_of_an_endpoint_is_a_token_or_a_fault(status: int, headers: dict[str, str], body: bytes) -> None:
    """In one line, and without the secret that it repeats."""
    found = outcome(lambda: grant.read(Answer(status, headers, body), CONFIG, (SECRET,)))
    if isinstance(found, Grant):
        assert found.lifetime > 0
    else:
        assert SECRET not in found.detail
        assert found.detail.isprintable()


@given(st.binary() | BODIES)
def test_any_output_of_a_program_is_a_token_or_a_fault(output: bytes) -> None:
    """It is not shown."""
    found = outcome(lambda: printed_token._read(output, "the command x"))
    if isinstance(found, Grant):
        assert found.access_token.get_secret_value().isprintable()
    else:
        assert found.detail.startswith("the command x prints ")
        assert found.detail.isprintable()


@given(st.text() | BODIES.map(base64.b64encode).map(bytes.decode))
def test_any_error_in_a_challenge_is_a_few_words(challenge: str) -> None:
    """Whoever sends it."""
    assert bearer.error_of(challenge).isprintable()
