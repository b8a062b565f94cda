"""Whether two domains belong together, as DMARC asks it: relaxed alignment (RFC 7489, section 3.1).

The organisation's domain can only be found in DNS, and nothing is looked up here. Names above and below each other
are taken as aligned. Those beside each other (`idm.example.com`, `mail.example.com`) may be: if the mailbox says that
DMARC passes, it has looked.
"""

from mail_sender.names import hostname


def is_aligned(domain: str, from_domain: str) -> bool:
    """Say whether a domain is the From domain, or stands above or below it."""
    if not domain or not from_domain:
        return False
    longer, shorter = sorted((domain, from_domain), key=len, reverse=True)
    return longer == shorter or ("." in shorter and longer.endswith("." + shorter))


def may_be_aligned(domain: str, from_domain: str) -> bool:
    """Say whether two domains are of one organisation, unless what they share is a public suffix."""
    shared = from_domain.split(".")[-2:]
    return len(shared) == 2 and domain.split(".")[-2:] == shared


def domain_of(text: str) -> str:
    """Return the domain of an address, or a bare domain, in ASCII and lower case; empty if there is none."""
    bare = text.strip().strip("<>").rpartition("@")[2].rstrip(".")
    try:
        return hostname.to_ascii(bare).lower() if bare else ""
    except hostname.BadHostName:
        return ""
