"""Asks DNS, by the system's resolvers or by those that the configuration names. Nothing else here speaks DNS.

Each question has a deadline and is asked once; few are open at a time. All of them together have a deadline and a
limit on their number, whatever records lead to. A truncated answer is asked for again over TCP.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.rdtypes.ANY.MX
import dns.rdtypes.txtbase
import dns.resolver

from mail_sender.doctor.domain.answer import Answer, Kind, Outcome
from mail_sender.doctor.nameserver import Nameserver

QUESTION_SECONDS = 6.0
"""How long a question may take, with all resolvers and repetitions."""
ALL_SECONDS = 25.0
"""How long all questions together may take; a check has 40 seconds, and is to say what it found."""
MOST_QUESTIONS = 300
_OPEN_QUESTIONS = 8
_TRY_SECONDS = 2.0


class NoResolver(Exception):
    """This system names no resolver."""


class Resolver:
    """Answers questions about names, each from the first resolver that knows it.

    Raises `NoResolver` if there is none.
    """

    def __init__(
        self,
        nameservers: Sequence[Nameserver] = (),
        *,
        seconds: float = QUESTION_SECONDS,
        all_seconds: float = ALL_SECONDS,
    ) -> None:
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        except dns.resolver.NoResolverConfiguration:
            raise NoResolver("this system names no resolver") from None
        if nameservers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(one.address, one.port) for one in nameservers]
        self._resolver.timeout = min(_TRY_SECONDS, seconds)
        self._resolver.use_edns(0, 0, 1232)  # without it, every longer TXT record would take the detour over TCP
        self._seconds = seconds
        self._all_seconds = all_seconds
        self._ends: float | None = None
        self._answers: dict[tuple[str, Kind], Answer] = {}
        self._locks: dict[tuple[str, Kind], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._open = asyncio.Semaphore(_OPEN_QUESTIONS)

    def __str__(self) -> str:
        """Name the resolvers."""
        return ", ".join(_place(one) for one in self._resolver.nameservers)

    async def ask(self, name: str, kind: Kind) -> Answer:
        """Return what DNS says of a name; a failed look-up is an answer, too."""
        question = (name.lower().rstrip("."), kind)
        async with self._locks[question]:
            if question not in self._answers:
                async with self._open:
                    self._answers[question] = await self._look_up(*question)
            return self._answers[question]

    async def fault(self, domain: str) -> str:
        """Say why nothing can be looked up, or an empty text if something can: the root, or the domain.

        A resolver inside a company may know the domain alone; and the domain's own servers may be down.
        """
        answers = await asyncio.gather(self.ask("", Kind.NS), self.ask(domain, Kind.MX))
        return answers[0].reason if all(answer.failed for answer in answers) else ""

    async def _look_up(self, name: str, kind: Kind) -> Answer:
        if len(self._answers) >= MOST_QUESTIONS:
            return Answer(Outcome.FAILED, reason=f"more than {MOST_QUESTIONS} look-ups")
        left = self._seconds_left()
        if left <= 0:
            return Answer(Outcome.FAILED, reason=f"all look-ups took longer than {self._all_seconds:g} s")
        try:
            return await self._resolve(name, kind, min(left, self._seconds))
        except dns.resolver.NXDOMAIN as error:
            return Answer(Outcome.NO_NAME, alias=_alias(name, error.canonical_name))
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, dns.name.BadEscape):
            return Answer(Outcome.NO_NAME, reason="no name that DNS can hold")
        except (dns.exception.DNSException, OSError) as error:
            return Answer(Outcome.FAILED, reason=self._reason(error))

    def _seconds_left(self) -> float:
        """Return how long all questions may still take, from the first one on."""
        now = asyncio.get_running_loop().time()
        if self._ends is None:
            self._ends = now + self._all_seconds
        return self._ends - now

    async def _resolve(self, name: str, kind: Kind, seconds: float) -> Answer:
        found = await self._resolver.resolve(
            dns.name.from_text(name + "."),
            dns.rdatatype.from_text(kind),
            raise_on_no_answer=False,
            search=False,
            lifetime=seconds,
            backend=dns.asyncbackend.get_backend("asyncio"),
        )
        records = tuple(sorted(map(_text, found.rrset or ())))  # name servers shuffle them, and a report must not
        return Answer(Outcome.FOUND if records else Outcome.EMPTY, records, _alias(name, found.canonical_name))

    def _reason(self, error: Exception) -> str:
        """Say what the resolvers answered, or that they are silent."""
        errors = error.kwargs.get("errors") or () if isinstance(error, dns.exception.DNSException) else ()
        codes = [str(one[3]) for one in errors if one[4] is not None]
        if codes:
            return f"{codes[-1]} from {self}"
        if isinstance(error, dns.resolver.LifetimeTimeout):
            return f"no answer from {self} within {self._seconds:g} s"
        if isinstance(error, dns.resolver.NoNameservers):
            return f"nothing that answers at {self}"
        return type(error).__name__


def _place(nameserver: object) -> str:
    if isinstance(nameserver, dns.nameserver.Do53Nameserver):
        return str(Nameserver(nameserver.address, nameserver.port))
    return str(nameserver)


def _alias(name: str, canonical: dns.name.Name) -> str | None:
    found = canonical.to_text(omit_final_dot=True).lower()
    return found if found != name else None


def _text(record: object) -> str:
    match record:
        case dns.rdtypes.txtbase.TXTBase():
            return b"".join(record.strings).decode("ascii", "backslashreplace")
        case dns.rdtypes.ANY.MX.MX():
            return f"{record.preference} {record.exchange.to_text(omit_final_dot=True)}"
        case _:
            return str(record)
