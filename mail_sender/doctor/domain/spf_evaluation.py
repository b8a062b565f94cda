"""Evaluates SPF as a mailbox does (RFC 7208, section 4.6), for one address, or for one that no record names.

The second is how the limits are counted: nothing but `all` matches, so that every term is reached. Counting goes on
beyond the ten look-ups at which a mailbox stops, so that a report can say how many there are.
"""

import ipaddress
from enum import StrEnum

from mail_sender.doctor.domain.answer import Answer, Ask, Kind, mx_hosts
from mail_sender.doctor.domain.spf_macros import Ip, Mail, expand, is_open
from mail_sender.doctor.domain.spf_record import BadSpf, Directive, SpfRecord, is_spf, parse

MOST_LOOKUPS = 10
MOST_VOID = 2
MOST_MX_HOSTS = 10
COUNTED = 30
"""Look-ups after which the counting ends."""

_COUNTS = frozenset({"include", "a", "mx", "ptr", "exists"})  # section 4.6.4; redirect is the sixth


class Result(StrEnum):
    """What SPF says of an address (section 2.6)."""

    PASS = "pass"  # noqa: S105 - the word of RFC 7208, no password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    NONE = "none"
    PERMERROR = "permerror"
    TEMPERROR = "temperror"


_OF_QUALIFIER = {"+": Result.PASS, "-": Result.FAIL, "~": Result.SOFTFAIL, "?": Result.NEUTRAL}


class _Ended(Exception):
    """The evaluation ends here with an error: permerror or temperror, or none where there is no record."""

    def __init__(self, result: Result, sentence: str) -> None:
        super().__init__(sentence)
        self.result = result


class Evaluation:
    """One evaluation. Afterwards `lookups`, `void`, `domains` and `sentence` say what it met.

    `domains` are those whose records were read, `void` the names at which there was nothing. `sentence` says why the
    result is an error.
    """

    def __init__(self, ask: Ask, mail: Mail) -> None:
        self._ask = ask
        self._mail = mail
        self.lookups = 0
        self.void: list[str] = []
        self.domains: list[str] = []
        self.sentence = ""

    async def check(self, domain: str) -> Result:
        """Return what SPF says of the mail, by the record of a domain."""
        try:
            return await self._of_domain(domain.lower(), ())
        except _Ended as ended:
            self.sentence = str(ended)
            return ended.result

    async def _of_domain(self, domain: str, above: tuple[str, ...]) -> Result:
        if domain in above:
            circle = " -> ".join([*above[above.index(domain) :], domain])
            raise _Ended(Result.PERMERROR, f"its includes go in a circle: {circle}")
        record = await self._record(domain)
        self.domains.append(domain)
        for directive in record.directives:
            if await self._matches(directive, domain, (*above, domain)):
                return _OF_QUALIFIER[directive.qualifier]
        if record.redirect is None:
            return Result.NEUTRAL
        self._count()
        if is_open(record.redirect, self._mail):
            return Result.NEUTRAL
        target = expand(record.redirect, domain, self._mail)
        return await self._of_other(target, f"redirect={record.redirect}", (*above, domain))

    async def _of_other(self, target: str, term: str, above: tuple[str, ...]) -> Result:
        try:
            return await self._of_domain(target.lower().rstrip("."), above)
        except _Ended as ended:
            if ended.result is not Result.NONE:
                raise
            raise _Ended(Result.PERMERROR, f"{term} leads to a name without an SPF record") from None

    async def _record(self, domain: str) -> SpfRecord:
        answer = self._known(await self._ask(domain, Kind.TXT), domain)
        records = [text for text in answer.records if is_spf(text)]
        if not records:
            raise _Ended(Result.NONE, f"{domain} has no SPF record")
        if len(records) > 1:
            raise _Ended(Result.PERMERROR, f"{domain} has {len(records)} SPF records")
        try:
            return parse(records[0])
        except BadSpf as error:
            raise _Ended(Result.PERMERROR, f"in the record of {domain}, {error}") from None

    def _known(self, answer: Answer, name: str) -> Answer:
        if answer.failed:
            raise _Ended(Result.TEMPERROR, f"{name} cannot be looked up ({answer.reason})")
        return answer

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > COUNTED:
            raise _Ended(Result.PERMERROR, f"it needs more than {COUNTED} look-ups")

    async def _matches(self, directive: Directive, domain: str, above: tuple[str, ...]) -> bool:
        if directive.mechanism in _COUNTS:
            self._count()
        if directive.mechanism in {"all", "ip4", "ip6"}:
            return directive.mechanism == "all" or self._is_in(directive.network)
        return not is_open(directive.target, self._mail) and await self._leads_to_it(directive, domain, above)

    async def _leads_to_it(self, directive: Directive, domain: str, above: tuple[str, ...]) -> bool:
        """Say whether a mechanism that needs DNS matches."""
        target = expand(directive.target, domain, self._mail) if directive.target else domain
        match directive.mechanism:
            case "include":
                return await self._of_other(target, directive.text, above) is Result.PASS
            case "exists":
                return bool(self._not_void(await self._ask(target, Kind.A), target).records)
            case "a":
                return await self._has_address(target, directive, is_term=True)
            case "mx":
                return await self._has_mx(target, directive)
            case _:
                return False  # ptr: nobody should use it (section 5.5), and many mailboxes never match it

    async def _has_mx(self, target: str, directive: Directive) -> bool:
        hosts = mx_hosts(self._not_void(await self._ask(target, Kind.MX), target))
        if len(hosts) > MOST_MX_HOSTS:
            sentence = f"{directive.text} leads to {len(hosts)} MX hosts; {MOST_MX_HOSTS} are allowed"
            raise _Ended(Result.PERMERROR, sentence)
        if self._mail.ip is None:
            return False
        for host in hosts:
            if await self._has_address(host, directive, is_term=False):
                return True
        return False

    async def _has_address(self, name: str, directive: Directive, *, is_term: bool) -> bool:
        kinds = _kinds(self._mail.ip)
        answers = [self._known(await self._ask(name, kind), name) for kind in kinds]
        if is_term and all(answer.is_void for answer in answers):
            self.void.append(name)
        if self._mail.ip is None:
            return False
        prefix = directive.prefixes[self._mail.ip.version == 6]
        networks = (
            ipaddress.ip_network(f"{record}/{prefix}", strict=False)
            for answer in answers
            for record in answer.records
        )
        return any(self._mail.ip in network for network in networks)

    def _not_void(self, answer: Answer, name: str) -> Answer:
        if self._known(answer, name).is_void:
            self.void.append(name)
        return answer

    def _is_in(self, network: ipaddress.IPv4Network | ipaddress.IPv6Network | None) -> bool:
        return network is not None and self._mail.ip is not None and self._mail.ip in network


def _kinds(ip: Ip | None) -> list[Kind]:
    if ip is None:
        return [Kind.A, Kind.AAAA]
    return [Kind.A] if ip.version == 4 else [Kind.AAAA]
