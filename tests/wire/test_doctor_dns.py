"""The doctor's look-ups, over UDP and TCP, against a DNS server of this test's own: good, broken and silent."""

import time

import dns.resolver
import pytest

from mail_sender.doctor import nameserver
from mail_sender.doctor.config import DoctorConfig
from mail_sender.doctor.domain.answer import Answer, Kind, Outcome
from mail_sender.doctor.domain.check import from_domain
from mail_sender.doctor.domain.resolver import Resolver
from mail_sender.doctor.subject import Subject
from mail_sender.mail.config import MailConfig
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.relay_url import Security
from tests.support.dns_server import REFUSED, SERVFAIL, SILENT, DnsServer, Rows, txt

LONG = "v=DKIM1; p=" + "A" * 2000

ROWS: Rows = {
    ("acme.zz", "MX"): ["20 mx2.acme.zz.", "10 mx.acme.zz."],
    ("acme.zz", "TXT"): [txt("v=spf1 mx -all")],
    ("mx.acme.zz", "A"): ["192.0.2.1"],
    ("mx2.acme.zz", "AAAA"): ["2001:db8::1"],
    ("null.zz", "MX"): ["0 ."],
    ("long.acme.zz", "TXT"): [txt(LONG)],
    ("odd.acme.zz", "TXT"): ['"caf\\233"', '""'],
    ("s1._domainkey.acme.zz", "CNAME"): ["key.provider.zz."],
    ("key.provider.zz", "TXT"): [txt("v=DKIM1; p=")],
    ("s2._domainkey.acme.zz", "CNAME"): ["gone.elsewhere.xx."],
    ("broken.zz", "*"): SERVFAIL,
    ("refused.zz", "*"): REFUSED,
    ("silent.zz", "*"): SILENT,
}


@pytest.fixture(scope="module")
def server():  # type: ignore[no-untyped-def]  # the type of a generator would say less than the line below
    """Give a server with all rows."""
    with DnsServer(ROWS) as running:
        yield running


def resolver(server: DnsServer, seconds: float = 0.6) -> Resolver:
    """Return what asks this server."""
    return Resolver([nameserver.parse(server.place)], seconds=seconds)


@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [
        ("acme.zz", Kind.MX, Answer(Outcome.FOUND, ("10 mx.acme.zz", "20 mx2.acme.zz"))),
        ("ACME.zz.", Kind.TXT, Answer(Outcome.FOUND, ("v=spf1 mx -all",))),
        ("mx.acme.zz", Kind.A, Answer(Outcome.FOUND, ("192.0.2.1",))),
        ("mx2.acme.zz", Kind.AAAA, Answer(Outcome.FOUND, ("2001:db8::1",))),
        ("null.zz", Kind.MX, Answer(Outcome.FOUND, ("0 .",))),
        ("mx.acme.zz", Kind.AAAA, Answer(Outcome.EMPTY)),
        ("gone.zz", Kind.A, Answer(Outcome.NO_NAME)),
        ("s1._domainkey.acme.zz", Kind.TXT, Answer(Outcome.FOUND, ("v=DKIM1; p=",), "key.provider.zz")),
        ("s2._domainkey.acme.zz", Kind.TXT, Answer(Outcome.NO_NAME, alias="gone.elsewhere.xx")),
        ("a..zz", Kind.TXT, Answer(Outcome.NO_NAME, reason="no name that DNS can hold")),
        ("x" * 64 + ".zz", Kind.TXT, Answer(Outcome.NO_NAME, reason="no name that DNS can hold")),
    ],
)
async def test_what_dns_says_is_read(server: DnsServer, name: str, kind: Kind, answer: Answer) -> None:
    """Records in a steady order, no records, no name; aliases are followed, and named."""
    assert await resolver(server).ask(name, kind) == answer


async def test_a_long_record_comes_over_tcp_in_one_piece(server: DnsServer) -> None:
    """A truncated answer is asked for again over TCP, and the strings of a TXT record are joined."""
    assert (await resolver(server).ask("long.acme.zz", Kind.TXT)).records == (LONG,)
    assert ("long.acme.zz", "TXT") in server.over_tcp


async def test_octets_beyond_ascii_stay_visible(server: DnsServer) -> None:
    """Whatever a TXT record holds, it becomes a text."""
    assert (await resolver(server).ask("odd.acme.zz", Kind.TXT)).records == ("", "caf\\xe9")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken.zz", "SERVFAIL from {}"),
        ("refused.zz", "REFUSED from {}"),
        ("silent.zz", "no answer from {} within 0.6 s"),
    ],
)
async def test_a_failed_look_up_says_why(server: DnsServer, name: str, reason: str) -> None:
    """And it ends in time."""
    started = time.monotonic()
    answer = await resolver(server).ask(name, Kind.MX)
    assert answer == Answer(Outcome.FAILED, reason=reason.format(server.place))
    assert time.monotonic() - started < 3


async def test_a_question_is_asked_once(server: DnsServer) -> None:
    """Checks share what was looked up; a refused limit is an answer, too."""
    before = server.asked.count(("mx.acme.zz", "MX"))
    one = resolver(server)
    for _ in range(3):
        await one.ask("mx.acme.zz", Kind.MX)
    assert server.asked.count(("mx.acme.zz", "MX")) == before + 1


async def lines(server: DnsServer, domain: str = "acme.zz", reply_to: str = "acme.zz") -> list[str]:
    """Return what the check finds."""
    subject = Subject(
        mail=MailConfig("Acme", "https://idm.acme.zz", f"idm@{domain}", f"help@{reply_to}"),
        relay=RelayConfig("mx.acme.zz", 465, Security.IMPLICIT, domain),
        doctor=DoctorConfig(("s1",), (nameserver.parse(server.place),)),
    )
    return [f"{one.level} {one.check}: {one.seen}" async for one in from_domain(subject)]


async def test_the_whole_check_runs_over_the_wire(server: DnsServer) -> None:
    """From the domain to its alignment, with Reply-To last."""
    found = await lines(server, reply_to="null.zz")
    assert found == [
        "ok from_domain: acme.zz takes mail at mx.acme.zz, mx2.acme.zz",
        'ok spf: acme.zz: "v=spf1 mx -all", 1 of 10 look-ups',
        "ok spf_relay: SPF of acme.zz passes for mx.acme.zz (192.0.2.1)",
        "fault dkim: the DKIM key at s1._domainkey.acme.zz is revoked (its p= is empty): signatures by it fail",
        "warning dmarc: acme.zz has no DMARC record: Gmail, Yahoo and Outlook want one from those who send much",
        "ok alignment: the envelope sender is the From address: SPF aligns, where it passes; no DKIM key of acme.zz was found",
        "fault reply_to_domain: null.zz takes no mail (null MX, RFC 7505): replies cannot land",
    ]


@pytest.mark.parametrize(("domain", "level"), [("gone.zz", "fault"), ("broken.zz", "warning")])
async def test_a_domain_that_is_not_there_is_one_line(server: DnsServer, domain: str, level: str) -> None:
    """SPF, DKIM and DMARC of it would each say the same."""
    (found,) = await lines(server, domain, domain)
    assert found.startswith(f"{level} from_domain: {domain} ")


@pytest.mark.parametrize("answer", [SERVFAIL, REFUSED])
async def test_a_resolver_that_knows_nothing_is_one_warning(answer: str) -> None:
    """The domain is not to blame if the root cannot be looked up either."""
    with DnsServer({(".", "*"): answer, ("acme.zz", "*"): answer}) as dead:
        (found,) = await lines(dead, reply_to="null.zz")
        assert found == f"warning resolver: DNS is not checked: {answer} from {dead.place}"


async def test_a_silent_resolver_is_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs one deadline, not one for each record."""
    monkeypatch.setattr("mail_sender.doctor.domain.check.Resolver", lambda places: Resolver(places, seconds=0.3))
    with DnsServer({(".", "*"): SILENT, ("acme.zz", "*"): SILENT}) as dead:
        (found,) = await lines(dead)
        assert found == f"warning resolver: DNS is not checked: no answer from {dead.place} within 0.3 s"
        assert set(dead.asked) == {(".", "NS"), ("acme.zz", "MX")}


async def test_many_silent_names_cost_one_deadline_together() -> None:
    """An SPF record may lead to ten name servers that are down: what else was found is still said."""
    silent: Rows = {(f"s{number}.zz", "*"): SILENT for number in range(10)}
    with DnsServer(silent) as slow:
        one = Resolver([nameserver.parse(slow.place)], seconds=0.3, all_seconds=0.8)
        started = time.monotonic()
        reasons = [(await one.ask(f"s{number}.zz", Kind.A)).reason for number in range(10)]
        assert time.monotonic() - started < 3
        assert reasons[0] == f"no answer from {slow.place} within 0.3 s"
        assert reasons[-1] == "all look-ups took longer than 0.8 s"


async def test_a_tree_of_records_without_end_is_left(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names records lead to, the number of questions has a limit."""
    monkeypatch.setattr("mail_sender.doctor.domain.resolver.MOST_QUESTIONS", 3)
    one = resolver(server)
    reasons = [(await one.ask(f"n{number}.zz", Kind.A)).reason for number in range(4)]
    assert reasons == ["", "", "", "more than 3 look-ups"]


async def test_a_system_without_a_resolver_is_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may have no /etc/resolv.conf."""
    monkeypatch.setattr("dns.resolver.BaseResolver.read_resolv_conf", _no_resolver)
    mail = MailConfig("Acme", "https://idm.acme.zz", "idm@acme.zz", "idm@acme.zz")
    (found,) = [one async for one in from_domain(Subject(mail=mail))]
    assert (found.level, found.seen) == ("warning", "DNS is not checked: this system names no resolver")


def _no_resolver(*_: object) -> None:
    raise dns.resolver.NoResolverConfiguration


async def test_a_private_domain_is_not_looked_up() -> None:
    """corp.local and example.com have nothing in the public DNS that could be wrong."""
    mail = MailConfig("Acme", "https://idm.corp.local", "idm@corp.local", "help@example.com")
    found = [one async for one in from_domain(Subject(mail=mail))]
    assert [(one.level, one.check) for one in found] == [("skipped", "from_domain"), ("skipped", "reply_to_domain")]
