"""What an identity server's unexpected answers mean, and the cure.

A refusal counts only in Kanidm's own words (docs/kanidm-wire.md, Error bodies). What a proxy, a login page or another
product answers in its place says nothing about the token or a message.
"""

import re
from collections.abc import Mapping

from mail_sender import log
from mail_sender.errors import ServerFault, ServerFaultKind
from mail_sender.source.base import Standing
from mail_sender.source.decoding import UNREADABLE
from mail_sender.web.headers import retry_after

SENDERS = "idm_message_senders"
EXCESS_GROUPS = f"a sender needs only the group {SENDERS}: remove the account from the others"
# What every sender is in as well: Kanidm puts it there by itself.
_BY_NATURE = frozenset({SENDERS, "idm_all_accounts", "idm_high_privilege"})

_REFUSALS: Mapping[int, frozenset[str]] = {
    401: frozenset({"notauthenticated", "sessionexpired"}),
    403: frozenset({"accessdenied", "systemprotectedobject"}),
    404: frozenset({"nomatchingentries"}),
}
"""All that a Kanidm says with these statuses."""
_OTHER_PRODUCTS_KEYS = frozenset(
    {"code", "detail", "details", "error", "errors", "message", "msg", "status", "title"}
)

_AN_ERRORS_NAME = re.compile(r"[a-z][a-z0-9_]{1,47}")  # anything else may be a secret that somebody quotes


def standing(name: str, groups: frozenset[str], may_write: bool | None) -> Standing:
    """Return the account's standing. Raises `ServerFault` if it is no sender, or its token may not write."""
    name = log.without_tokens(name)  # the server may say anything, the token that it was shown too
    if SENDERS not in groups:
        raise ServerFault(
            ServerFaultKind.NOT_A_SENDER,
            f"{name} is not in {SENDERS}, so the queue looks empty to it",
            f"kanidm group add-members {SENDERS} {name}",
        )
    if may_write is False:
        raise read_only(name)
    return Standing(name, may_write, tuple(sorted(groups - _BY_NATURE)))


def read_only(name: str) -> ServerFault:
    """Return the fault of a token that may not write."""
    return ServerFault(
        ServerFaultKind.TOKEN_READ_ONLY,
        "the token is read-only: mail could be sent, but not marked as sent",
        f"kanidm service-account api-token generate {name} mail-sender --readwrite, and put it into the config",
    )


def is_gone(status: int, answer: object) -> bool:
    """Say whether an answer is Kanidm's own word that a message is unknown, deleted or hidden from us."""
    return status == 404 and _is_kanidms(status, answer)


def fault(server: str, status: int, answer: object, headers: Mapping[str, str]) -> ServerFault:
    """Return what a status that was not asked for means (docs/kanidm-wire.md, Error bodies)."""
    is_kanidms = _is_kanidms(status, answer)
    match status:
        case 401 if is_kanidms:
            return ServerFault(
                ServerFaultKind.TOKEN_REFUSED,
                f"the server refuses the token (401 {_said(answer)})",
                "it has expired, was revoked, or is another server's: "
                "kanidm service-account api-token generate NAME mail-sender --readwrite, and put it into the config",
            )
        case 403 if is_kanidms:
            return read_only("NAME")
        case 408 | 429 | 502 | 503 | 504:
            wait = retry_after(headers)
            advice = "this usually passes by itself" if wait is None else f"it asks for a pause of {wait:.0f} s"
            detail = f"{server} answers {status}"
            if not is_kanidms:
                detail += f" with {_form(answer, headers)} (not Kanidm: a proxy in front?)"
            return ServerFault(ServerFaultKind.OVERLOADED, detail, advice, wait)
        case _ if 300 <= status < 400:
            return not_kanidm(server, f"it redirects ({status}), and the token is not sent elsewhere")
        case _ if status < 300 or not is_kanidms:
            return not_kanidm(server, f"it answers {status} with {_form(answer, headers)}")
        case _:
            return ServerFault(
                ServerFaultKind.ERROR, f"{server} answers {status} {_said(answer)}", "read the server's log"
            )


def not_kanidm(server: str, detail: str) -> ServerFault:
    """Return the fault of an answer that Kanidm does not give."""
    return ServerFault(
        ServerFaultKind.NOT_KANIDM,
        f"{server} does not answer like a Kanidm with a message queue (not Kanidm: a proxy in front?): {detail}",
        "check uri in the client config, and any proxy or login page in front of the server; tried again",
    )


def _is_kanidms(status: int, answer: object) -> bool:
    """Say whether an error is in Kanidm's form; a refusal has to be in its very words."""
    if (words := _REFUSALS.get(status)) is not None:
        return isinstance(answer, str) and answer in words
    is_one = not isinstance(answer, dict) or len(answer) == 1
    return is_one and bool(word := _said(answer)) and word not in _OTHER_PRODUCTS_KEYS


def _form(answer: object, headers: Mapping[str, str]) -> str:
    if answer is not UNREADABLE:
        return "JSON that is not Kanidm's"
    return "an HTML page" if "html" in headers.get("content-type", "").lower() else "something that is not JSON"


def _said(answer: object) -> str:
    """Return the error's name: a bare word, or the key of a one-key object."""
    word = next(iter(answer), "") if isinstance(answer, dict) else answer
    return word if isinstance(word, str) and _AN_ERRORS_NAME.fullmatch(word) else ""
