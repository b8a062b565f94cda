"""What `doctor` looks at: the configuration, and of one with faults as much as can be used.

A slice is left out if one of the keys that it cannot do without is at fault. Any other key at fault is left out
alone, and the checks that need it ask for it (`Reading.is_faulty`).
"""

from collections.abc import Iterable
from pathlib import Path

from mail_sender.config import (
    appearance,
    fallback,
    ledger,
    load,
    proxy,
    relay,
    sample_check,
    secrets,
    sources,
    stand_ins,
)
from mail_sender.config.keys import ClientFile, SenderFile
from mail_sender.config.origin import ENVIRONMENT
from mail_sender.config.sources import Sources
from mail_sender.config.toml_file import TomlFile
from mail_sender.doctor.subject import Reading, Subject
from mail_sender.errors import ConfigError, ConfigFault
from mail_sender.mail.config import MailConfig
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.templating.appearance import Appearance
from mail_sender.tls import contexts

_OF_SOURCE = ("uri", "verify_ca", "verify_hostnames", "ca_path", "HTTP_PROXY", "HTTPS_PROXY")
_OF_RELAY = (
    "mail_relay",
    "mail_from_address",
    *(f"relay.{key}" for key in ("kind", "preset", "region", "path", "ca_path")),
    *(f"relay.{key}" for key in ("client_cert_path", "client_key_path", "local_name")),
)
_OF_LEDGER = ("ledger.path", "ledger.kind", "ledger.url", "ledger.password", "ledger.ca_path")
_OF_TEMPLATES = ("templates", "brand")


def read(client_path: Path, sender_path: Path) -> Subject:
    """Return what the two files make."""
    return of_sources(sources.read(client_path, sender_path))


def of_sources(found: Sources) -> Subject:
    """Return what two files make that were read already, or are not written yet."""
    files = found.client.path, found.sender.path
    try:
        config = load.of_sources(found)
    except ConfigError as error:
        return _in_part(error, found.client, found.sender)
    return Subject(
        source=config.source,
        relay=config.relay,
        fallbacks=tuple(one.relay for one in config.fallbacks),
        mail=config.mail,
        ledger=config.ledger,
        doctor=config.doctor,
        reading=Reading(files, _named(config.files, found.sender), warnings=config.warnings, secrets=config.secrets),
    )


def _in_part(error: ConfigError, client_file: TomlFile, sender_file: TomlFile) -> Subject:
    files, faults = (client_file.path, sender_file.path), error.faults
    of_templates = tuple(fault for fault in faults if _is_of_templates(fault, client_file, sender_file))
    others = tuple(fault for fault in faults if fault not in of_templates)
    client_faulty = _faulty(client_file, {"uri"}, ClientFile, others)
    sender_faulty = _faulty(sender_file, stand_ins.SENDER, SenderFile, others)
    faulty = client_faulty | sender_faulty
    client = stand_ins.client(client_file.values, client_faulty)
    sender = stand_ins.sender(sender_file.values, sender_faulty | {fault.key for fault in of_templates})
    mail = appearance.mail(sender, appearance.appearance(sender_file, sender, [], []) or Appearance())
    has_relay, has_login = faulty.isdisjoint(_OF_RELAY), faulty.isdisjoint({"mail_username", "mail_password"})
    return Subject(
        source=load.source_config(client, sender) if faulty.isdisjoint(_OF_SOURCE) else None,
        relay=_relay(sender) if has_relay else None,
        fallbacks=tuple(one.relay for one in fallback.configs(sender)),
        mail=mail if "mail_from_address" not in faulty else None,
        ledger=ledger.ledger_config(sender) if faulty.isdisjoint(_OF_LEDGER) else None,
        doctor=load.doctor_config(sender),
        reading=Reading(
            files=files,
            named=_named(error.files, sender_file),
            faults=others,
            template_faults=of_templates or _samples_that_fail(sender, mail),
            warnings=tuple(relay.warnings(sender_file)) if has_relay and has_login else (),
            faulty=faulty,
            secrets=secrets.of_all(client_file.values, sender_file.values),
        ),
    )


def _relay(sender: SenderFile) -> RelayConfig | FolderConfig | None:
    """Return the relay, None if the proxy on the way to its token is no good, which is a fault already."""
    try:
        return relay.relay_config(sender)
    except proxy.BadProxy:
        return None


def _named(files: tuple[Path, ...], sender_file: TomlFile) -> tuple[Path, ...]:
    """Return what the two files, which come first, and the environment name; the system's roots are everybody's."""
    named = dict.fromkeys([*files[2:], *sender_file.secret_files])
    return tuple(path for path in named if path not in contexts.roots())


def _is_of_templates(fault: ConfigFault, client_file: TomlFile, sender_file: TomlFile) -> bool:
    if fault.path in client_file.places | sender_file.places | {ENVIRONMENT}:
        return fault.path != client_file.path and fault.key.partition(".")[0] in _OF_TEMPLATES
    return True


def _faulty(
    file: TomlFile, required: Iterable[str], model: type[ClientFile | SenderFile], faults: Iterable[ConfigFault]
) -> frozenset[str]:
    """Return the keys of a file that cannot be used; of a file that cannot be read these are all."""
    found = {fault.key for fault in faults if fault.path in file.places | {ENVIRONMENT}}
    found |= {".".join(key) for key in file.unread}
    missing = {key for key in required if key not in file.values}
    tables = {key for key in model.model_fields if "" in found or key in found}
    inside = {f"{table}.{key}" for table in tables for key in _keys_of(model, table)}
    return frozenset(found | missing | tables | inside)


def _keys_of(model: type[ClientFile | SenderFile], table: str) -> Iterable[str]:
    return getattr(model.model_fields[table].annotation, "model_fields", ())


def _samples_that_fail(sender: SenderFile, mail: MailConfig) -> tuple[ConfigFault, ...]:
    folder = sender.templates.override_path
    if folder is None or not mail.appearance.templates.theirs:
        return ()
    return tuple(sample_check.faults(folder, mail, sample_check.samples_for(mail.appearance)))
