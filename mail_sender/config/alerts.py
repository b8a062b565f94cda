"""The alerts: `[alert]`, its faults and warnings, and the secrets in it."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from mail_sender.config import proxy
from mail_sender.config.keys import SenderFile
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.names import hostname
from mail_sender.names.secret import Secret
from mail_sender.observe.alerts.config import AlertConfig


def faults(file: TomlFile, sender: SenderFile) -> Iterator[ConfigFault]:
    """Yield a fault if keys are set that nobody would ever use, and if the proxy on the way cannot be used."""
    table = file.value(("alert",))
    if isinstance(table, dict) and sender.alert.url is None and ("alert", "url") not in file.unread:
        if not sender.alert.command:
            yield file.fault(("alert",), "nobody is called", "set url, or command, or remove the table [alert]")
        for key in ("headers", "ca_path"):
            if key in table:
                yield file.fault(("alert", key), "is set without url", "set url, or remove it")
    if sender.alert.url is not None:
        yield from proxy.faults(sender.alert.url.get_secret_value())


def alert_config(sender: SenderFile) -> AlertConfig:
    """Return who is called, and when."""
    table = sender.alert
    way = proxy.proxy_for(table.url.get_secret_value()) if table.url else None
    return AlertConfig(
        url=table.url,
        command=tuple(table.command),
        format=table.format,
        headers=tuple(table.headers.items()),
        after=timedelta(seconds=table.after_seconds),
        repeat=timedelta(seconds=table.repeat_seconds),
        max_per_hour=table.max_per_hour,
        oldest_waiting=timedelta(seconds=table.oldest_waiting_seconds),
        expires_within=timedelta(days=table.expires_within_days),
        ca_path=table.ca_path,
        proxy=Secret(way) if way else None,
    )


def warnings(config: AlertConfig) -> Iterator[str]:
    """Yield a sentence for what works, but is unsafe, and for a program that is not there (yet)."""
    if config.url is not None:
        scheme = urlsplit(config.url.get_secret_value()).scheme
        if scheme == "http" and not hostname.is_loopback(config.url_host):
            yield f"[alert] url is http://: alerts and the URL's secret travel unencrypted to {config.url_host}"
    if config.command and shutil.which(config.command[0].get_secret_value()) is None:
        yield f"[alert] command: {config.program} is no program that can be run here"
