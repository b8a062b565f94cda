"""What is known of well-known relays: their SPF records, their DKIM selectors, and whose envelope sender they use.

To add one, add a row. Everything here is what providers document for their customers' domains; where a selector is
made for each customer, it cannot be guessed, and the row has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """A relay's provider.

    `hosts` are ends of its relays' names. `spf` are the names of which a customer includes one. `selectors` are the
    usual ones. `own_envelope` says that the provider sends with an envelope sender of its own making, so that SPF
    is asked of another domain than the From address's.
    """

    name: str
    hosts: tuple[str, ...]
    spf: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()
    own_envelope: bool = False


PROVIDERS: Sequence[Provider] = (
    Provider(
        "Microsoft 365",
        ("office365.com", "outlook.com", "office365.us"),
        ("spf.protection.outlook.com",),
        ("selector1", "selector2"),
    ),
    Provider("Google", ("gmail.com", "googlemail.com", "google.com"), ("_spf.google.com",), ("google",)),
    Provider("Amazon SES", ("amazonaws.com",), ("amazonses.com",), (), own_envelope=True),
    Provider("SendGrid", ("sendgrid.net",), ("sendgrid.net",), ("s1", "s2"), own_envelope=True),
    Provider(
        "Mailgun", ("mailgun.org",), ("mailgun.org",), ("k1", "mx", "smtp", "mailo", "pic", "krs"), own_envelope=True
    ),
    Provider("Postmark", ("postmarkapp.com",), ("spf.mtasv.net",), (), own_envelope=True),
    Provider(
        "Brevo",
        ("brevo.com", "sendinblue.com"),
        ("spf.brevo.com", "spf.sendinblue.com"),
        ("brevo1", "brevo2", "mail"),
        own_envelope=True,
    ),
    Provider(
        "Zoho",
        ("zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zoho.jp"),
        ("zohomail.com", "zohomail.eu", "zoho.com", "zoho.eu", "zoho.in", "zoho.com.au"),
        ("zmail", "zoho", "zohomail"),
    ),
    Provider(
        "Fastmail", ("fastmail.com", "messagingengine.com"), ("spf.messagingengine.com",), ("fm1", "fm2", "fm3")
    ),
    Provider("OVHcloud", ("ovh.net", "ovh.com", "ovh.ca"), ("mx.ovh.com", "mx.ovh.ca")),
    Provider(
        "Proton",
        ("protonmail.ch", "proton.me", "protonmail.com"),
        ("_spf.protonmail.ch",),
        ("protonmail", "protonmail2", "protonmail3"),
    ),
    Provider("Mailjet", ("mailjet.com",), ("spf.mailjet.com",), ("mailjet",), own_envelope=True),
    Provider(
        "Mandrill", ("mandrillapp.com",), ("spf.mandrillapp.com",), ("mte1", "mte2", "mandrill"), own_envelope=True
    ),
    Provider("SparkPost", ("sparkpostmail.com",), ("sparkpostmail.com",), own_envelope=True),
    Provider("SMTP2GO", ("smtp2go.com",), ("spf.smtp2go.com",), own_envelope=True),
    Provider("Resend", ("resend.com",), ("amazonses.com",), ("resend",), own_envelope=True),
    Provider("Scaleway", ("scaleway.com",), ("_spf.tem.scaleway.com",)),
    Provider("iCloud", ("mail.me.com", "icloud.com"), ("icloud.com",), ("sig1",)),
    Provider(
        "IONOS",
        ("ionos.com", "ionos.de", "ionos.co.uk", "ionos.es", "ionos.fr", "1und1.de", "kundenserver.de"),
        ("_spf-eu.ionos.com", "_spf-us.ionos.com", "_spf.kundenserver.de", "_spf.perfora.net"),
        ("s1-ionos", "s2-ionos"),
    ),
    Provider("Infomaniak", ("infomaniak.com", "infomaniak.ch"), ("spf.infomaniak.ch",)),
    Provider("Gandi", ("gandi.net",), ("_mailcust.gandi.net",), ("gm1", "gm2", "gm3")),
    Provider("mailbox.org", ("mailbox.org",), ("mailbox.org",), ("MBO0001", "MBO0002", "MBO0003", "MBO0004")),
    Provider("Migadu", ("migadu.com",), ("spf.migadu.com",), ("key1", "key2", "key3")),
    Provider("Yandex", ("yandex.ru", "yandex.com", "yandex.net"), ("_spf.yandex.net", "_spf.yandex.ru"), ("mail",)),
)

OF_ANYBODY = ("default", "mail", "dkim", "selector1", "s1", "k1")
"""Selectors that manuals of mail servers use, for a relay that is none of these providers'."""


def provider_of(host: str) -> Provider | None:
    """Return whose relay it is, by its name, or None."""
    return next((one for one in PROVIDERS if any(is_below(host, end) for end in one.hosts)), None)


def is_below(name: str, domain: str) -> bool:
    """Say whether a name is a domain, or stands below it."""
    name = name.lower().rstrip(".")
    return name == domain or name.endswith("." + domain)
