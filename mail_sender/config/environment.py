"""The environment's values: each key of the two files can be set by a variable, which goes over the file.

1. The variable's name is the key's (`fields.variable`). A variable that is empty counts as not set, with a warning:
   where containers are put together, one that nobody filled in is empty.
2. A text is taken as it is. Any other value is written as in TOML, without the key (`15`, `true`, `["s1", "s2"]`,
   `{ Name = "value" }`), or as in JSON.
3. A variable that begins like ours and is no key's is a warning, since it may be a misspelt one. Kubernetes sets such
   variables for each service, and they are none of ours.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping

from mail_sender import toml
from mail_sender.config.fields import PREFIX, KeyField, Kind, of_client, of_sender
from mail_sender.config.origin import ENVIRONMENT, Origin
from mail_sender.config.toml_file import TomlFile

OWN = frozenset({"MAIL_SENDER_CLIENT_CONFIG", "MAIL_SENDER_CONFIG"})
"""Variables that the command line reads."""
OF_ALERTS = frozenset(
    f"MAIL_SENDER_ALERT_{name}"
    for name in (
        "VERSION", "STATUS", "KEY", "SEVERITY", "SUMMARY", "ADVICE", "SINCE", "AT", "COUNT", "INSTANCE", "HOST",
    )
)  # fmt: skip
"""What the command of `[alert]` gets, which may start this program."""
_OF_KUBERNETES = re.compile(
    r"MAIL_SENDER_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes sets for a service whose name begins with mail-sender."""
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def put(file: TomlFile, fields: Iterable[KeyField], environment: Mapping[str, str]) -> Iterator[str]:
    """Put the environment's values over a file's, without its secrets; yield warnings."""
    for field in fields:
        text = environment.get(field.variable)
        if text is None:
            continue
        if text:
            file.put(field.key, value(field.kind, text), Origin("environment", ENVIRONMENT, name=field.variable))
        else:
            yield empty(field.variable)


def empty(variable: str) -> str:
    """Return the warning of a variable that is set to nothing."""
    return f"{variable} is empty, and counts as not set"


def value(kind: Kind, text: str) -> object:
    """Return what a variable's text means; the text itself if it is no such value, which the key's check reports."""
    if kind == "text":
        return text
    if kind == "boolean":
        return _BOOLEANS.get(text.strip().lower(), text)
    try:
        return toml.loads(f"value = {text.strip()}").get("value", text)
    except toml.NotToml:
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def unknown(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each variable that looks like one of ours, and is none."""
    known = {name for field in (*of_client(), *of_sender()) for name in variables(field)}
    for name in sorted(name for name in environment if name.startswith(PREFIX)):
        if name in known | OWN | OF_ALERTS or _OF_KUBERNETES.fullmatch(name):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        advice = f"did you mean {near[0]}?" if near else "`mail-sender config explain` lists them"
        yield f"{name} is no variable of mail-sender, and is ignored; {advice}"


def variables(field: KeyField) -> tuple[str, ...]:
    """Return the variables that set a key, or name the file that has its value."""
    return (field.variable, f"{field.variable}_FILE") if field.path_key else (field.variable,)
