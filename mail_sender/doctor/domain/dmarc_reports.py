"""Whether DMARC's reports go out: a receiver elsewhere must agree, by a record (RFC 7489, section 7.1)."""

import asyncio
import re
from collections.abc import Sequence
from urllib.parse import unquote

from mail_sender.doctor.domain.answer import Ask, Kind
from mail_sender.doctor.domain.dmarc import Step, policy_step
from mail_sender.doctor.domain.dmarc_record import BadDmarc, is_dmarc, parse
from mail_sender.doctor.domain.providers import is_below
from mail_sender.doctor.finding import Finding, Topic

_MOST_RECEIVERS = 4
_HOST = re.compile(r"[a-z0-9_.-]{1,253}")


async def findings(steps: Sequence[Step], ask: Ask) -> list[Finding]:
    """Return a warning for each receiver of the policy's reports that has not agreed."""
    step = policy_step(steps)
    receivers = _receivers(step)[:_MOST_RECEIVERS] if step else []
    if step is None or not receivers:
        return []
    names = [f"{step.domain}._report._dmarc.{receiver}" for receiver in receivers]
    answers = await asyncio.gather(*(ask(name, Kind.TXT) for name in names))
    return [
        _refused(step.domain, receiver, name)
        for receiver, name, answer in zip(receivers, names, answers, strict=True)
        if not answer.failed and not any(map(is_dmarc, answer.records))
    ]


def _receivers(step: Step) -> list[str]:
    """Return the domains of others that the record's rua names."""
    try:
        reports = parse(step.records[0]).reports
    except BadDmarc:
        return []
    addresses = (
        unquote(uri.partition(":")[2]).partition("!")[0] for uri in reports if uri.lower().startswith("mailto:")
    )
    domains = dict.fromkeys(one.rpartition("@")[2].strip().lower() for one in addresses if "@" in one)
    foreign = (one for one in domains if not is_below(one, step.domain) and not is_below(step.domain, one))
    return [one for one in foreign if _HOST.fullmatch(one)]


def _refused(domain: str, receiver: str, name: str) -> Finding:
    seen = f"DMARC reports on {domain} are not sent to {receiver}, which does not agree: there is no record at {name}"
    advice = f'have {receiver} add a TXT record there: "v=DMARC1"; or name an address of {domain} in rua='
    return Topic.DOMAIN.warning("dmarc_reports", seen, advice)
