"""Logging in as `kanidm login` does: three steps, a token, the key that it names (docs/kanidm-wire.md, Login)."""

from __future__ import annotations

import base64
import json
import re
import time
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from server_stub.api.access import Access
from server_stub.api.login_attempts import LoginAttempts
from server_stub.api.login_steps import How, Proof, Who
from server_stub.api.revoked_sessions import RevokedSessions
from server_stub.errors import OperationError
from server_stub.identity.accounts import ADMIN, Account
from server_stub.identity.identity_file import api_payload
from server_stub.identity.people import People
from server_stub.identity.tokens import Keyring
from tests.support.stub import Stub

CAPTURES: dict[str, Any] = {
    one["name"]: one for one in json.loads((Path(__file__).parents[1] / "wire/captures.json").read_text())
}
SESSION = "x-kanidm-auth-session-id"
WHO = {"step": {"init2": {"username": "idm_admin", "issue": "token", "privileged": False}}}
HOW = {"step": {"begin": "password"}}
JWS = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ADMINISTRATOR = Account(ADMIN, "00000000-0000-0000-0000-000000000018", "")


def post(stub: Stub, body: object, session: str | None = None, path: str = "/v1/auth") -> httpx.Response:
    headers = {SESSION: session} if session else {}
    return stub.request("POST", path, None, json=body, headers=headers)


def proof(stub: Stub, password: str | None = None) -> dict[str, Any]:
    return {"step": {"cred": {"password": password or stub.tokens["idm_admin_password"]}}}


def upto_proof(stub: Stub, who: dict[str, Any] = WHO) -> str:
    """Take the first two steps and return the session."""
    session = post(stub, who).headers[SESSION]
    return post(stub, HOW, session).headers[SESSION]


def log_in(stub: Stub) -> str:
    token: str = post(stub, proof(stub), upto_proof(stub)).json()["state"]["success"]
    return token


def parts(token: str) -> list[dict[str, Any]]:
    return [json.loads(decoded(part)) for part in token.split(".")[:2]]


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def form(value: Any) -> Any:
    """Replace what differs from server to server by the name of its form; the order of keys stays."""
    match value:
        case dict():
            return [(key, form(item)) for key, item in value.items()]
        case list():
            return [form(item) for item in value]
        case str() if JWS.fullmatch(value) or "token, ES256" in value:
            return "JWS"
        case str() if UUID.fullmatch(value):
            return "uuid"
        case str() if re.fullmatch(r"[0-9a-f]{12}|[\w-]{43}", value):
            return "key part"
    return value


def answers(stub: Stub) -> dict[str, httpx.Response]:
    """Ask what the capturing script asked, and bring the session along as it did."""
    first = post(stub, WHO)
    second = post(stub, HOW, first.headers[SESSION])
    third = post(stub, proof(stub), second.headers[SESSION])
    key = parts(third.json()["state"]["success"])[0]["kid"]
    return {
        "login 1: who": first,
        "login 2: how": second,
        "login 3: proof": third,
        "the key of a token": stub.request("GET", f"/v1/jwk/{key}", None),
        "login: unknown user": post(stub, CAPTURES["login: unknown user"]["request"]["json"]),
        "login 3: wrong password": post(stub, proof(stub, "wrong"), upto_proof(stub)),
    }


def test_a_login_gets_the_captured_answers(shared_stub: Stub) -> None:
    """Status, headers and the body with its order of keys, for each step and each way that it fails."""
    for name, answer in answers(shared_stub).items():
        expected = CAPTURES[name]["response"]
        assert answer.status_code == expected["status"], name
        assert form(answer.json()) == form(expected["json"]), name
        for header in ("content-type", "x-kanidm-version"):
            assert answer.headers[header] == expected["headers"][header], name
        assert (SESSION in answer.headers) == (SESSION in expected["headers"]), name
        assert UUID.fullmatch(answer.headers["x-kanidm-opid"]), name


def test_the_session_is_the_same_through_all_steps(shared_stub: Stub) -> None:
    """Its id is in each body; what is sent along is that id, signed by HS256."""
    first = post(shared_stub, WHO)
    second = post(shared_stub, HOW, first.headers[SESSION])
    third = post(shared_stub, proof(shared_stub), second.headers[SESSION])
    ids = {answer.json()["sessionid"] for answer in (first, second, third)}
    head, payload = first.headers[SESSION].split(".")[:2]
    assert json.loads(decoded(head))["alg"] == "HS256"
    assert ids == {json.loads(decoded(payload))}
    assert post(shared_stub, WHO).json()["sessionid"] not in ids


def test_the_session_may_come_as_a_cookie(shared_stub: Stub) -> None:
    """As the header does, which goes first where both are there."""
    answer = post(shared_stub, WHO)
    crumb = SimpleCookie(answer.headers["set-cookie"])["auth-session-id"]
    assert crumb.value == answer.headers[SESSION]
    assert (crumb["secure"], crumb["httponly"], crumb["samesite"]) == (True, True, "strict")
    cookie = {"cookie": f"auth-session-id={crumb.value}"}
    other = {**cookie, SESSION: "garbage"}
    assert shared_stub.request("POST", "/v1/auth", None, json=HOW, headers=other).status_code == 500
    answer = shared_stub.request("POST", "/v1/auth", None, json=HOW, headers=cookie)
    assert answer.json()["state"] == {"continue": ["password"]}


def test_a_token_can_be_had_as_a_cookie(shared_stub: Stub) -> None:
    """A browser's login; the API takes the cookie for a token."""
    who = {"step": {"init2": {"username": "idm_admin", "issue": "cookie"}}}
    answer = post(shared_stub, proof(shared_stub), upto_proof(shared_stub, who))
    crumb = SimpleCookie(answer.headers["set-cookie"])["bearer"]
    assert crumb.value == answer.json()["state"]["success"]
    assert (crumb["secure"], crumb["httponly"], crumb["path"]) == (True, True, "/")
    cookie = {"cookie": f"bearer={crumb.value}"}
    assert shared_stub.request("GET", "/v1/auth/valid", None, headers=cookie).status_code == 200
    assert "set-cookie" not in post(shared_stub, proof(shared_stub), upto_proof(shared_stub)).headers


def verify(token: str, jwk: dict[str, str]) -> dict[str, Any]:
    """Do what the command does: verify the signature by the key alone, and read the payload."""
    x, y = (int.from_bytes(decoded(jwk[axis]), "big") for axis in ("x", "y"))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    signed, _, signature = token.rpartition(".")
    r, s = (int.from_bytes(half, "big") for half in (decoded(signature)[:32], decoded(signature)[32:]))
    key.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
    return parts(token)[1]


def test_a_client_verifies_the_token_and_works_with_it(stub: Stub) -> None:
    """The whole of `kanidm login`, then `list`, `send-test-message`, `send-reset-token` and `mark-as-sent` with its token."""
    token = log_in(stub)
    header = parts(token)[0]
    assert header == {"alg": "ES256", "kid": header["kid"]}
    jwk = stub.request("GET", f"/v1/jwk/{header['kid']}", None).json()
    payload = verify(token, jwk)
    now = time.time()
    assert payload["expiry"] > now
    assert payload["purpose"]["readwrite"]["expiry"] > now + 20  # or the command asks for the password again
    stub.tokens["login"] = token
    assert stub.request("GET", "/scim/v1/Person/ellie/_message/_send_test", "login").status_code == 200
    reset = "/v1/person/ellie/_credential/_update_intent_send"
    assert stub.request("POST", reset, "login", json={"ttl": None, "email": None}).status_code == 200
    listed = stub.request("GET", "/scim/v1/Message", "login").json()["resources"]
    assert len(listed) == 2
    assert stub.request("POST", f"/scim/v1/Message/{listed[0]['id']}/_sent", "login").status_code == 200
    with pytest.raises(InvalidSignature):
        verify(token, jwk | other_key())


def other_key() -> dict[str, str]:
    point = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    return {
        axis: base64.urlsafe_b64encode(value.to_bytes(32, "big")).decode().rstrip("=")
        for axis, value in (("x", point.x), ("y", point.y))
    }


@pytest.mark.parametrize("source", ["a login", "tokens.json"])
def test_a_user_token_has_the_real_payload(shared_stub: Stub, source: str) -> None:
    """Every field that the command decodes, `expiry` also where it is null, and types as there."""
    payload = parts(log_in(shared_stub) if source == "a login" else shared_stub.tokens["admin"])[1]
    assert list(payload) == [
        "session_id", "issued_at", "expiry", "purpose", "uuid", "displayname", "spn", "ui_hints",
    ]  # fmt: skip
    assert UUID.fullmatch(payload["session_id"])
    assert UUID.fullmatch(payload["uuid"])
    assert isinstance(payload["issued_at"], int)
    assert isinstance(payload["expiry"], int | None)
    assert isinstance(payload["purpose"]["readwrite"]["expiry"], int)
    assert (payload["spn"], payload["displayname"]) == ("idm_admin@localhost", "IDM Administrator")
    assert payload["ui_hints"] == []


def test_a_service_token_has_the_real_payload(shared_stub: Stub) -> None:
    """Account, id, label, expiry (null for never), issue, purpose, in Kanidm's order; HS256."""
    purposes = {"readwrite": "readwrite", "readonly": "readonly", "outsider": "readwrite", "expired": "readwrite"}
    for label, purpose in purposes.items():
        header, payload = parts(shared_stub.tokens[label])
        assert (header["alg"], list(header)) == ("HS256", ["alg", "kid"])
        assert list(payload) == ["account_id", "token_id", "label", "expiry", "issued_at", "purpose"]
        assert (payload["label"], payload["purpose"]) == (label, purpose)
        assert UUID.fullmatch(payload["account_id"])
        assert UUID.fullmatch(payload["token_id"])
        assert isinstance(payload["issued_at"], int)
        assert isinstance(payload["expiry"], int) == (label == "expired")


@pytest.mark.parametrize("name", ["idm_admin@localhost", "IDM_ADMIN", "00000000-0000-0000-0000-000000000018"])
def test_an_account_is_found_by_its_spn_and_id(shared_stub: Stub, name: str) -> None:
    """As by its name, in upper or lower case."""
    who = {"step": {"init2": {"username": name, "issue": "token", "privileged": True}}}
    assert post(shared_stub, who).json()["state"] == {"choose": ["password"]}


@pytest.mark.parametrize("name", ["ellie", "bob@localhost", "mail-sender", "outsider"])
def test_people_and_service_accounts_have_no_way_in(shared_stub: Stub, name: str) -> None:
    """They exist, so that it is no 404, but have no password: denied, with 200, and no session to go on with."""
    answer = post(shared_stub, {"step": {"init": name}})
    assert (answer.status_code, answer.json()["state"]) == (200, {"denied": "invalid credential state"})
    assert SESSION not in answer.headers


@pytest.mark.parametrize("step", [HOW, {"step": {"cred": {"password": "x"}}}])
@pytest.mark.parametrize("session", [None, "garbage", "the bearer", "forged"])
def test_a_step_without_a_session_is_refused(shared_stub: Stub, step: object, session: str | None) -> None:
    """Nor does what nobody signed for this, or a token that is no session, count as one."""
    if session == "the bearer":
        session = shared_stub.tokens["readwrite"]
    elif session == "forged":
        head, payload, signature = post(shared_stub, WHO).headers[SESSION].split(".")
        session = f"{head}.{payload}.{signature[::-1]}"
    answer = post(shared_stub, step, session)
    assert answer.status_code == 500
    assert answer.json() == {"invalidauthstate": "session id not present in cred"}


def test_steps_out_of_order_are_refused(shared_stub: Stub) -> None:
    """A proof before the mechanism, a mechanism twice, a proof after the end; the password is not looked at."""
    out_of_order = (500, {"invalidauthstate": "session already finalised!"})
    early = post(shared_stub, proof(shared_stub), post(shared_stub, WHO).headers[SESSION])
    assert (early.status_code, early.json()) == out_of_order
    session = upto_proof(shared_stub)
    twice = post(shared_stub, HOW, session)
    assert (twice.status_code, twice.json()) == out_of_order
    assert "denied" in post(shared_stub, proof(shared_stub, "wrong"), session).json()["state"]
    late = post(shared_stub, proof(shared_stub), session)
    assert (late.status_code, late.json()) == out_of_order


def test_only_the_password_leads_in(shared_stub: Stub) -> None:
    """Another mechanism or another credential is denied, and ends the attempt."""
    wrong_way = {"denied": "invalid authentication method in this context"}
    session = post(shared_stub, WHO).headers[SESSION]
    assert post(shared_stub, {"step": {"begin": "passkey"}}, session).json()["state"] == wrong_way
    assert post(shared_stub, HOW, session).status_code == 500
    for credential in ({"totp": 123456}, "anonymous", {"backupcode": "x"}):
        answer = post(shared_stub, {"step": {"cred": credential}}, upto_proof(shared_stub))
        assert (answer.status_code, answer.json()["state"]) == (200, wrong_way)


BAD_BODIES = (b"", b"{", b"\xff", b"[" * 100_000)
WRONG_BODIES: tuple[object, ...] = (
    None, 7, "x", [], {}, {"step": None}, {"step": "init"}, {"step": {}}, {"step": {"init": 7}},
    {"step": {"init": "idm_admin", "begin": "password"}}, {"step": {"begin": "charm"}}, {"step": {"begin": ["password"]}},
    {"step": {"cred": {}}}, {"step": {"cred": "password"}}, {"step": {"cred": {"password": 7}}},
    {"step": {"cred": {"password": "a", "totp": 1}}}, {"step": {"init2": {"username": "idm_admin"}}},
    {"step": {"init2": {"username": "idm_admin", "issue": "post"}}},
    {"step": {"init2": {"username": "idm_admin", "issue": ["token"]}}},
    {"step": {"init2": {"username": "idm_admin", "issue": "token", "privileged": "yes"}}},
)  # fmt: skip


def test_a_body_that_is_no_step_is_refused_in_plain_text(shared_stub: Stub) -> None:
    """415 for another type, 400 for what is no JSON, 422 for JSON that is no step."""
    headers = {"content-type": "application/json"}
    for content in BAD_BODIES:
        answer = shared_stub.request("POST", "/v1/auth", None, content=content, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    for body in WRONG_BODIES:
        answer = shared_stub.request("POST", "/v1/auth", None, content=json.dumps(body), headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "text/plain; charset=utf-8"), body
    assert shared_stub.request("POST", "/v1/auth", None, content=json.dumps(WHO)).status_code == 415


def test_an_odd_password_is_only_wrong(shared_stub: Stub) -> None:
    """Whatever JSON can hold, half a surrogate too."""
    for password in ("ü" * 5000, "\ud800", "\x00"):
        content = json.dumps({"step": {"cred": {"password": password}}})
        headers = {"content-type": "application/json", SESSION: upto_proof(shared_stub)}
        answer = shared_stub.request("POST", "/v1/auth", None, content=content, headers=headers)
        assert answer.json()["state"] == {"denied": "incorrect password"}


@pytest.mark.parametrize("kid", ["000000000000", "x" * 65, "%20", "the secret's"])
def test_an_unknown_key_is_not_found(shared_stub: Stub, kid: str) -> None:
    """404 in Kanidm's words; the key of service accounts' tokens is a secret and unknown here too."""
    if kid == "the secret's":
        kid = parts(shared_stub.tokens["readwrite"])[0]["kid"]
    answer = shared_stub.request("GET", f"/v1/jwk/{kid}", None)
    assert (answer.status_code, answer.json()) == (404, "nomatchingentries")


def test_the_keys_outlive_a_restart(stub: Stub) -> None:
    """So that the tokens which a client keeps can still be verified, and still work."""
    stub.tokens["login"] = token = log_in(stub)
    kid = parts(token)[0]["kid"]
    before = stub.request("GET", f"/v1/jwk/{kid}", None).json()
    stub.stop()
    stub.start()
    stub.tokens["login"] = token
    assert stub.request("GET", f"/v1/jwk/{kid}", None).json() == before
    assert stub.request("GET", "/v1/auth/valid", "login").status_code == 200


def test_whoever_is_logged_in_can_prove_it_anew(shared_stub: Stub) -> None:
    """`kanidm reauth`: no name and no mechanism, the proof alone, and a new token."""
    shared_stub.tokens["login"] = first = log_in(shared_stub)
    begun = shared_stub.request("POST", "/v1/reauth", "login", json="token")
    assert begun.json() == {"sessionid": begun.json()["sessionid"], "state": {"continue": ["password"]}}
    wrong = shared_stub.request("POST", "/v1/reauth", "login", json="token").headers[SESSION]
    assert post(shared_stub, proof(shared_stub, "wrong"), wrong).json()["state"] == {"denied": "incorrect password"}
    second = post(shared_stub, proof(shared_stub), begun.headers[SESSION]).json()["state"]["success"]
    assert second != first
    assert parts(second)[1]["spn"] == "idm_admin@localhost"


def test_reauth_wants_a_login_and_a_way_of_issue(shared_stub: Stub) -> None:
    """The body is read first, then who asks; a service account has no password to prove itself by."""
    assert shared_stub.request("POST", "/v1/reauth", None, json="post").status_code == 422
    nobody = shared_stub.request("POST", "/v1/reauth", None, json="token")
    assert (nobody.status_code, nobody.json()) == (401, "notauthenticated")
    service = shared_stub.request("POST", "/v1/reauth", "readwrite", json="token")
    assert (service.status_code, service.json()) == (500, "invalidstate")


def test_logout_is_for_those_who_are_logged_in(shared_stub: Stub) -> None:
    """null, or 401 in Kanidm's words."""
    shared_stub.tokens["login"] = log_in(shared_stub)
    assert shared_stub.request("GET", "/v1/logout", "login").json() is None
    nobody = shared_stub.request("GET", "/v1/logout", None)
    assert (nobody.status_code, nobody.json()) == (401, "notauthenticated")


def test_logout_ends_the_session_for_good(stub: Stub) -> None:
    """Its token is refused from then on, after a restart too, and no other one is."""
    first, second = log_in(stub), log_in(stub)
    stub.tokens |= {"first": first, "second": second}
    assert stub.request("GET", "/v1/logout", "first").status_code == 200
    for _ in range(2):
        refused = stub.request("GET", "/v1/auth/valid", "first")
        assert (refused.status_code, refused.json()) == (401, "sessionexpired")
        assert stub.request("GET", "/v1/auth/valid", "second").status_code == 200
        assert stub.request("GET", "/v1/auth/valid", "admin").status_code == 200
        stub.stop()
        stub.start()
        stub.tokens |= {"first": first, "second": second}
    assert (stub.dir / "destroyed").stat().st_mode & 0o777 == 0o600


def test_logout_leaves_a_service_account_its_token(stub: Stub) -> None:
    """It has no session that could end."""
    assert stub.request("GET", "/v1/logout", "readwrite").status_code == 200
    assert not (stub.dir / "destroyed").exists()


@pytest.mark.parametrize("named", ["by its id", "as it stands"])
def test_a_destroyed_token_has_a_grace_of_five_minutes(tmp_path: Path, named: str) -> None:
    """Counted from its issue; then the caller gets the words of one that expired."""
    keyring = Keyring(b"secret", ec.generate_private_key(ec.SECP256R1()))
    payload = api_payload(ADMINISTRATOR.uuid, "readwrite", "readwrite", 1000)
    token = keyring.sign_for_service(payload)
    file = tmp_path / "destroyed"
    file.write_text(f"another\n{payload['token_id'] if named == 'by its id' else token}\n")
    access = Access(keyring, {ADMINISTRATOR.uuid: ADMINISTRATOR}, RevokedSessions(file))
    assert access.caller(f"Bearer {token}", None, 1299.9).may_write
    with pytest.raises(OperationError) as refused:
        access.caller(f"Bearer {token}", None, 1300.0)
    assert (refused.value.status, refused.value.body) == (401, "sessionexpired")
    file.write_text("another\n")
    assert access.caller(f"Bearer {token}", None, 1300.0).may_write


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", "/v1/auth", "POST"), ("GET", "/v1/reauth", "POST"), ("POST", "/v1/logout", "GET,HEAD")],
)
def test_another_method_gets_the_right_one_named(shared_stub: Stub, method: str, path: str, allow: str) -> None:
    """405 with `allow`, as on every path of Kanidm's."""
    answer = shared_stub.request(method, path, None)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, allow, b"")


def attempts() -> LoginAttempts:
    return LoginAttempts({ADMINISTRATOR.uuid: ADMINISTRATOR}, People(), "right", lambda _, now: f"token of {now}")


def test_an_attempt_lives_for_five_minutes() -> None:
    """After that its session is unknown, and nothing of it is kept."""
    logins = attempts()
    first = logins.start(Who("idm_admin", cookie=False), 1000.0).session
    assert logins.choose(first, How("password"), 1300.0).state == {"continue": ["password"]}
    with pytest.raises(OperationError) as refused:
        logins.prove(first, Proof("right"), 1300.1)
    assert (refused.value.status, refused.value.body) == (500, "invalidsessionstate")
    second = logins.start(Who("idm_admin", cookie=False), 1300.1).session
    assert logins._open.keys() == {second}


def test_neither_password_nor_token_is_shown_by_accident() -> None:
    """What a traceback or a log line would show of these objects holds no secret."""
    logins = attempts()
    session = logins.start(Who("idm_admin", cookie=True), 0.0).session
    logins.choose(session, How("password"), 0.0)
    outcome = logins.prove(session, Proof("right"), 0.0)
    assert outcome.cookie == "token of 0.0"
    shown = f"{Proof('right')} {outcome} {logins}"
    assert "right" not in shown
    assert "token of" not in shown
