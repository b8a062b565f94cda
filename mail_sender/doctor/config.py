"""The configuration of the doctor: what no other part of the sender needs to know."""

from dataclasses import dataclass

from mail_sender.doctor.nameserver import Nameserver


@dataclass(frozen=True, slots=True)
class DoctorConfig:
    """What the checks need to be told.

    `dkim_selectors` are the selectors by which the relay signs, where they are known (RFC 6376, section 3.1).
    `nameservers` are asked instead of the system's resolvers, if there are any. `trusted_authserv_id` names the
    system whose Authentication-Results are believed (RFC 8601, section 2.5). `daily` says that a running sender
    looks at the DNS of its From domain once a day.
    """

    dkim_selectors: tuple[str, ...] = ()
    nameservers: tuple[Nameserver, ...] = ()
    trusted_authserv_id: str | None = None
    daily: bool = True
