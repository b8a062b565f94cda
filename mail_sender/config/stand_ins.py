"""A configuration with faults, as far as it can be used: made-up values replace those that are missing or faulty."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mail_sender.config.keys import ClientFile, SenderFile

SENDER: Mapping[str, str] = {
    "token": "none",
    "instance_display_name": "Example Identity",
    "instance_url": "https://idm.example.com",
    "mail_from_address": "idm@example.com",
    "mail_reply_to_address": "support@example.com",
    "mail_relay": "smtps://relay.example.com",
}
"""Made-up values of the required keys; they are shown in sample mails and used for nothing else."""
_CLIENT: Mapping[str, str] = {"uri": "https://idm.example.com"}

_Model = TypeVar("_Model", bound=BaseModel)


def sender(values: Mapping[str, Any], without: Iterable[str] = ()) -> SenderFile:
    """Return a mail-sender config of these values, without those of some keys (`relay.ca_path`)."""
    return _filled(SenderFile, SENDER, values, without)


def client(values: Mapping[str, Any], without: Iterable[str] = ()) -> ClientFile:
    """Return a client config of these values, without those of some keys."""
    return _filled(ClientFile, _CLIENT, values, without)


def _filled(
    model: type[_Model], made_up: Mapping[str, str], values: Mapping[str, Any], without: Iterable[str]
) -> _Model:
    kept = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for key in without:
        _leave_out(kept, *key.split(".", 2)[:2])
    try:
        return model.model_validate({**made_up, **kept})
    except ValidationError as error:
        for detail in error.errors():
            _leave_out(kept, *detail["loc"][:2])
    return model.model_validate({**made_up, **kept})


def _leave_out(values: dict[str, Any], key: int | str, inner: int | str | None = None) -> None:
    table = values.get(str(key))
    if inner is not None and isinstance(table, dict):
        table.pop(inner, None)
    else:
        values.pop(str(key), None)
