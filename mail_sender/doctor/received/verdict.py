"""What the mailbox's results mean together: which methods pass, and which of them for the domain in From."""

from dataclasses import dataclass

from mail_sender.doctor.received.alignment import domain_of, is_aligned, may_be_aligned
from mail_sender.doctor.received.authentication_results import MethodResult
from mail_sender.doctor.received.belief import Believed

_MAIL_FROM = ("smtp.mailfrom", "smtp.mail")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The believed results of one mail, and its From domain.

    `client_ip` is the address from which it came, or empty. `is_signed` says whether it has a DKIM-Signature.
    """

    believed: Believed
    from_domain: str
    client_ip: str
    is_signed: bool

    @property
    def spf(self) -> MethodResult | None:
        """The result of SPF for the envelope sender; that of the EHLO name only if there is no other."""
        found = sorted(self.believed.of("spf"), key=lambda one: not one.about(*_MAIL_FROM))
        return found[0] if found else None

    @property
    def aligns_by_spf(self) -> bool:
        """Whether SPF passes for From, or a related domain."""
        return self.spf is not None and self.spf.result == "pass" and self.is_aligned(spf_domain(self.spf))

    @property
    def aligned_signature(self) -> MethodResult | None:
        """The DKIM signature that passes for From, or a related domain."""
        passed = (one for one in self.believed.of("dkim") if one.result == "pass")
        return next((one for one in passed if self.is_aligned(dkim_domain(one))), None)

    def is_aligned(self, domain: str) -> bool:
        """Say whether a domain aligns with From, as far as that can be known."""
        passes = any(one.result == "pass" for one in self.believed.of("dmarc"))
        return is_aligned(domain, self.from_domain) or (passes and may_be_aligned(domain, self.from_domain))


def spf_domain(one: MethodResult) -> str:
    """Return whose SPF record it was: the envelope sender's, or that of the EHLO name."""
    return domain_of(one.about(*_MAIL_FROM, "smtp.helo"))


def dkim_domain(one: MethodResult) -> str:
    """Return the domain that signed."""
    return domain_of(one.about("header.d", "header.i"))
