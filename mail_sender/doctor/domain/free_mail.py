"""Domains of free mail: their owners let nobody but themselves send in their name, and say so by DMARC."""

from collections.abc import Mapping

from mail_sender.doctor.domain.providers import is_below
from mail_sender.doctor.finding import Finding, Topic

_RELAYS: Mapping[str, tuple[str, ...]] = {
    "gmail.com googlemail.com": ("gmail.com", "googlemail.com", "google.com"),
    "outlook.com outlook.de outlook.fr hotmail.com hotmail.de hotmail.fr hotmail.co.uk live.com msn.com": (
        "outlook.com",
        "office365.com",
    ),
    "yahoo.com yahoo.de yahoo.fr yahoo.co.uk ymail.com rocketmail.com aol.com": ("yahoo.com", "aol.com"),
    "icloud.com me.com mac.com": ("mail.me.com", "icloud.com"),
    "gmx.de gmx.net gmx.at gmx.ch gmx.com": ("gmx.net", "gmx.com", "gmx.de"),
    "web.de": ("web.de",),
    "t-online.de magenta.de": ("t-online.de", "telekom.de"),
    "freenet.de": ("freenet.de",),
    "proton.me protonmail.com pm.me": ("protonmail.ch", "proton.me"),
    "mail.ru bk.ru list.ru": ("mail.ru",),
    "yandex.ru yandex.com ya.ru": ("yandex.ru", "yandex.com"),
    "qq.com": ("qq.com",),
    "163.com 126.com": ("163.com", "126.com"),
    "orange.fr wanadoo.fr": ("orange.fr",),
    "libero.it": ("libero.it",),
    "comcast.net": ("comcast.net",),
}
_FREE: Mapping[str, tuple[str, ...]] = {
    domain: ends for domains, ends in _RELAYS.items() for domain in domains.split()
}


def is_free_mail(domain: str) -> bool:
    """Say whether everybody can have an address in this domain."""
    return domain in _FREE


def finding(domain: str, relay_host: str) -> Finding:
    """Return what it means that mail comes from a domain of free mail, through this relay."""
    if any(is_below(relay_host, end) for end in _FREE[domain]):
        seen = f"{domain} belongs to the relay's provider, who answers for its SPF, DKIM and DMARC"
        return Topic.DOMAIN.ok("from_provider", seen)
    return Topic.DOMAIN.fault(
        "from_provider",
        f"{domain} is a free mail provider's, and {relay_host} is not its relay: mailboxes reject such mail (DMARC)",
        "send from an address in a domain of your own (mail_from_address), or through that provider's relay",
    )
