"""A digest of what shapes mails: senders with the same one, and of one version, make the same mail of a message."""

import hashlib
import json
from collections.abc import Sequence

from mail_sender.mail.config import MailConfig
from mail_sender.templating.brand import Brand


def of(config: MailConfig, relays: Sequence[str]) -> str:
    """Return the digest, in hex, of a configuration and its relays' places; built-in files are the version's."""
    looks = config.appearance
    shape = [
        [config.instance_display_name, config.instance_url, config.from_address, config.reply_to_address],
        config.headers,
        sorted(looks.templates.theirs.items()),
        looks.html,
        [looks.languages.default, looks.languages.second, sorted(looks.languages.rules.items())],
        str(looks.zone),
        _brand(looks.brand),
        list(relays),
    ]
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:16]


def _brand(brand: Brand) -> list[str]:
    logo = hashlib.sha256(brand.logo.content).hexdigest() if brand.logo else ""
    return [brand.name, brand.color, logo, brand.support, brand.footer]
