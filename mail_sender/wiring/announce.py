"""What the log says of a configuration that comes into use."""

import structlog

from mail_sender import __version__
from mail_sender.config.config import Config
from mail_sender.relay.config import FolderConfig, RelayConfig

_log = structlog.get_logger()

_DRY = (
    "a dry run: each mail is written into the folder; nothing is sent; nothing is marked on the server; "
    "the ledger is kept in memory"
)


def started(config: Config) -> None:
    """Log that the work begins, and under which configuration."""
    _log.info("started", version=__version__, **_described(config))
    _announce(config)


def reloaded(config: Config) -> None:
    """Log that the work goes on under another configuration."""
    _log.info("reloaded", **_described(config))
    _announce(config)


def _described(config: Config) -> dict[str, object]:
    relay = config.relay
    return {
        "server": config.source.uri,
        "relay": relay.place,
        **({"fallbacks": ", ".join(one.relay.place for one in config.fallbacks)} if config.fallbacks else {}),
        "security": relay.security.value if isinstance(relay, RelayConfig) else None,
        "login": isinstance(relay, RelayConfig) and relay.username is not None,
        "sender": config.mail.from_address,
        "instance_url": config.mail.instance_url,
        "schedule": config.sender.schedule or "once",
    }


def _announce(config: Config) -> None:
    relay = config.relay
    if isinstance(relay, FolderConfig):
        _log.warning("dry_run", folder=relay.place, message=_DRY)
    for source in config.mail.appearance.templates.sources():
        if source.serves:
            _log.info("template_override", file=source.name, serves=source.serves)
    for warning in config.warnings:
        _log.warning("config_warning", message=warning)
