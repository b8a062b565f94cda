"""The values by which the relay is known in TLS: the name that its certificate has, or its fingerprints."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from mail_sender.config.values import shown
from mail_sender.names import hostname
from mail_sender.tls import fingerprint

_MOST_PINS = 20


def _refused(found: str, expected: str) -> PydanticCustomError:
    return PydanticCustomError("value", "{found}|{expected}", {"found": found, "expected": expected})


def _server_name(text: str) -> str:
    try:
        return hostname.to_ascii(text)
    except hostname.BadHostName as error:
        raise _refused(f"{shown(text)} ({error})", "expected the host name that the certificate has") from None


def _as_list(given: object) -> object:
    return [given] if isinstance(given, str) else given


def _pins(texts: list[str]) -> list[str]:
    if len(texts) > _MOST_PINS:
        raise _refused(f"has {len(texts)} fingerprints", f"expected at most {_MOST_PINS}")
    try:
        return list(dict.fromkeys(map(fingerprint.parse, texts)))
    except fingerprint.BadFingerprint as error:
        expected = "expected a SHA-256 fingerprint, in hexadecimal or base64, as `mail-sender doctor` shows it"
        raise _refused(f"has one that is none: {error}", expected) from None


ServerName = Annotated[str, AfterValidator(_server_name)]
Pins = Annotated[list[str], BeforeValidator(_as_list, json_schema_input_type=str | list[str]), AfterValidator(_pins)]
"""One fingerprint or several, in any of their forms; as a list of 64 hexadecimal digits each."""
