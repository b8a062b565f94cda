"""Where the configurations are by default: where Kanidm's programs have them."""

from pathlib import Path

CLIENT_CONFIG = Path("/etc/kanidm/config")
SENDER_CONFIG = Path("/etc/kanidm/mail-sender")
CLIENT_CONFIG_VARIABLE = "MAIL_SENDER_CLIENT_CONFIG"
SENDER_CONFIG_VARIABLE = "MAIL_SENDER_CONFIG"
