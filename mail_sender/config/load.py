"""Loads the configuration: Kanidm's two TOML files and our own tables, as one small frozen slice for each room.

1. Both files are read: the client config (its top level is the instance that counts) and the mail-sender config
   (Kanidm's keys at the top level, ours in tables beside them). The environment, and files that hold a secret alone,
   go over them (`sources`).
2. `keys` checks each value. What spans several keys, or leads to other files, is checked topic by topic on the raw
   tables, so that one fault does not hide another.
3. All faults are raised at once, as `ConfigError`. Settings that work but are worth a second look become warnings.
4. The operator's templates, if there are any, are tried out on sample messages.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from mail_sender.config import (
    alerts,
    appearance,
    certificates,
    example_domains,
    fallback,
    headers,
    ignored,
    ledger,
    oauth,
    proxy,
    relay,
    reputation,
    sample_check,
    secrets,
    security_warnings,
    sources,
)
from mail_sender.config.config import Config
from mail_sender.config.faults import checked
from mail_sender.config.keys import ClientFile, SenderFile, input_paths
from mail_sender.config.sources import Sources
from mail_sender.config.toml_file import TomlFile
from mail_sender.doctor import nameserver
from mail_sender.doctor.config import DoctorConfig
from mail_sender.errors import ConfigError, ConfigFault
from mail_sender.names.characters import visible
from mail_sender.names.secret import Secret
from mail_sender.observe import place
from mail_sender.observe.alerts import secrets as alert_secrets
from mail_sender.observe.config import ObserveConfig
from mail_sender.relay.config import RelayConfig
from mail_sender.sender.config import ReputationConfig, RetryConfig, SenderConfig
from mail_sender.sender.schedule import Schedule
from mail_sender.source.config import SourceConfig
from mail_sender.tls import contexts


def load(
    client_path: Path,
    sender_path: Path,
    dry_run: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """Return the configuration that the two files and the environment make.

    `dry_run` is a folder that takes the relay's place. Raises `ConfigError` with every fault of both files.
    """
    return of_sources(sources.read(client_path, sender_path, environment), dry_run)


def of_sources(found: Sources, dry_run: Path | None = None) -> Config:
    """Return the configuration of what was read already. Raises `ConfigError`."""
    client_file, sender_file = found.client, found.sender
    if "token" in client_file.values and "uri" in sender_file.values:
        expected = "swap -c and -m: -c names Kanidm's client config"
        raise ConfigError(
            [ConfigFault(client_file.path, None, "", "looks like the mail-sender config", expected)], []
        )
    if dry_run is not None:
        relay.put_folder_in_place(sender_file, dry_run)
    faults = [*client_file.faults, *sender_file.faults, *found.faults]
    warnings = found.warnings
    client = checked(client_file, ClientFile, faults, warnings)
    sender = checked(sender_file, SenderFile, faults, warnings)
    faults += [
        *proxy.faults(client_file.value(("uri",))),
        *(example_domains.faults(client_file, sender_file, client, sender) if client and sender else ()),
        *relay.faults(sender_file),
        *fallback.faults(sender_file),
        *reputation.faults(sender_file),
        *(alerts.faults(sender_file, sender) if sender else ()),
        *(ledger.faults(sender_file, sender) if sender else ()),
        *headers.faults(sender_file),
        *certificates.faults(client_file, sender_file),
    ]
    faults = _first_of_each_key(faults)
    protection = reputation.reputation(sender_file, sender, faults) if sender else ReputationConfig()
    loaded = appearance.appearance(sender_file, sender, faults, warnings) if sender else None
    files = _files(client_file, sender_file)
    if client is None or sender is None:
        raise ConfigError(faults, warnings, files)
    if faults or loaded is None:
        raise ConfigError(faults, warnings, files)
    mail = appearance.mail(sender, loaded)
    if (folder := sender.templates.override_path) and loaded.templates.theirs:
        faults += sample_check.faults(folder, mail, sample_check.samples_for(loaded))
    if faults:
        raise ConfigError(faults, warnings, files)
    relay_config, fallbacks = relay.relay_config(sender), fallback.configs(sender)
    alert_config, ledger_config = alerts.alert_config(sender), ledger.ledger_config(sender)
    warnings += [
        *security_warnings.warnings(client, sender, relay_config, sender_file),
        *(relay.warnings(sender_file) if isinstance(relay_config, RelayConfig) else ()),
        *oauth.warnings(sender),
        *fallback.warnings(sender_file, fallbacks),
        *reputation.warnings(sender, protection),
        *alerts.warnings(alert_config),
        *ledger.warnings(ledger_config),
        *ignored.warnings(client_file, sender_file),
        *certificates.warnings(),
    ]
    return Config(
        source=source_config(client, sender),
        relay=relay_config,
        fallbacks=fallbacks,
        mail=mail,
        sender=SenderConfig(
            schedule=Schedule(sender.schedule),
            retry=RetryConfig(sender.retry.message_retries, timedelta(seconds=sender.retry.max_age_seconds)),
            stop_grace_seconds=sender.worker.stop_grace_seconds,
            reputation=protection,
        ),
        ledger=ledger_config,
        observe=ObserveConfig(place.parse(sender.observe.listen) if sender.observe.listen else None),
        doctor=doctor_config(sender),
        alert=alert_config,
        files=files,
        log_format=sender.observe.log_format,
        warnings=tuple(map(visible, warnings)),
        secrets=secrets.of_all(client_file.values, sender_file.values).union(
            alert_secrets.all_of(alert_config), ledger.secrets(ledger_config)
        ),
    )


def load_anew(before: Config, client_path: Path, sender_path: Path, dry_run: Path | None = None) -> Config:
    """Return the configuration that the two files make now, for a sender that runs with the one `before`.

    Raises `ConfigError`, also if the relay's kind has changed: a ledger is about mails that were sent, or about
    mails that were only written, never about both.
    """
    changed = load(client_path, sender_path, dry_run)
    if type(changed.relay) is not type(before.relay):
        found, expected = "cannot change while mail-sender runs", "restart mail-sender to apply it"
        fault = ConfigFault(sender_path, None, "relay.kind", found, expected)
        raise ConfigError([fault], [], changed.files)
    return changed


def _first_of_each_key(faults: list[ConfigFault]) -> list[ConfigFault]:
    """Leave out what a later check finds wrong with a key whose value is no good anyway."""
    first: dict[object, ConfigFault] = {}
    for fault in faults:
        first.setdefault((fault.path, fault.key) if fault.key else fault, fault)
    return list(first.values())


def _files(client_file: TomlFile, sender_file: TomlFile) -> tuple[Path, ...]:
    """Return the two files, all that they name, as far as they could be read, and the system's roots."""
    named = [
        *input_paths(ClientFile, client_file.values),
        *input_paths(SenderFile, sender_file.values),
        *appearance.files(sender_file.value(("templates", "override_path"))),
        *contexts.roots(),
    ]
    return client_file.path, sender_file.path, *named


def source_config(client: ClientFile, sender: SenderFile) -> SourceConfig:
    """Return the slice of the identity server. Raises `proxy.BadProxy`."""
    parts = urlsplit(client.uri)
    proxy_url = proxy.proxy_for(client.uri)
    place = parts.netloc.rpartition("@")[2]
    if proxy_url:  # the proxy looks the name up, and not every proxy takes one with a dot at its end
        place = re.sub(r"\.(?=:|$)", "", place)
    return SourceConfig(
        uri=f"{parts.scheme}://{place}",
        token=sender.token,
        verify_ca=client.verify_ca,
        verify_hostnames=client.verify_hostnames,
        ca_path=client.ca_path,
        connect_timeout=float(client.connect_timeout),
        proxy=Secret(proxy_url) if proxy_url else None,
    )


def doctor_config(sender: SenderFile) -> DoctorConfig:
    """Return the slice of the doctor."""
    table = sender.doctor
    return DoctorConfig(
        tuple(table.dkim_selectors),
        tuple(map(nameserver.parse, table.nameservers)),
        table.trusted_authserv_id,
        table.daily,
    )
