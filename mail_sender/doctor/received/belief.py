"""Which Authentication-Results are believed: anybody may write one into a mail (RFC 8601, section 5).

A mailbox puts its own on top of what was there, so the topmost is believed. Where the configuration names the
mailbox's authserv-id, those by this name are believed: the topmost, and others that follow before the next Received,
since some systems write one for each method. The rest is only named.
"""

from dataclasses import dataclass

from mail_sender.doctor.received.authentication_results import AuthenticationResults, MethodResult, parse
from mail_sender.doctor.received.mail_headers import MailHeaders

_FIELD = "authentication-results"
_MOST_FIELDS = 300


@dataclass(frozen=True, slots=True)
class Believed:
    """The results that are believed, by whom they are, and the names of the other systems' in their order.

    `is_there` says whether there is any to believe.
    """

    is_there: bool
    authserv_id: str
    results: tuple[MethodResult, ...]
    others: tuple[str, ...]

    def of(self, method: str) -> list[MethodResult]:
        """Return the results of a method."""
        return [one for one in self.results if one.method == method]


def choose(headers: MailHeaders, trusted: str | None) -> Believed:
    """Return what is believed; `trusted` is the authserv-id that the configuration names."""
    believed: list[AuthenticationResults] = []
    others: list[str] = []
    is_over = False
    for found in _in_order(headers):
        if found is None:
            is_over = bool(believed)
        elif not is_over and _is_believed(found, trusted, bool(believed)):
            believed.append(found)
        else:
            others.append(found.authserv_id)
    results = tuple(result for one in believed for result in one.results)
    return Believed(
        bool(believed), believed[0].authserv_id if believed else "", results, tuple(dict.fromkeys(others))
    )


def _in_order(headers: MailHeaders) -> list[AuthenticationResults | None]:
    """Return the fields from the top; None is a Received between them, where another system had the mail."""
    fields = [
        parse(value) if name == _FIELD else None for name, value in headers.fields if name in {_FIELD, "received"}
    ]
    return fields[:_MOST_FIELDS]


def _is_believed(found: AuthenticationResults, trusted: str | None, has_one: bool) -> bool:
    if trusted is None:
        return not has_one
    return found.authserv_id.lower() == trusted.strip().lower()
