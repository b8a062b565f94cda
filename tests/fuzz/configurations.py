"""The two configuration files, and the environment's proxies: each pair becomes a `Config` or a `ConfigError`.

`doctor` and the template commands read a configuration that has faults, too, as far as it goes. What they and the
sender say is printed and logged: nothing in it is a secret, and nothing moves a terminal's cursor.
"""

import atexit
import json
import os
import re
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

import tomli
import trustme
from hypothesis import strategies as st

from mail_sender.config import load, subject
from mail_sender.config.environment import variables
from mail_sender.config.fields import of_client, of_sender
from mail_sender.errors import ConfigError
from mail_sender.preview import lenient_config
from tests.fuzz import odd, secrets
from tests.fuzz.target import Target

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDER = "/fuzzed"
"""Stands in the cases for the folder with the files below, wherever that is."""

_PATHS = (
    *(f"{FOLDER}/{name}" for name in ("ca.pem", "client.pem", "client.key", "other.key", "text", "half.pem", "domains", "logo.png", "secret")),
    *(f"{FOLDER}/{name}" for name in ("templates", "broken-templates", "pipe", "loop", "text/below", "none", "", "none/none", ".")),
    "/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/proc/self/mem", "/proc/self/fd/0", "/", "/sys", "ca.pem", "~", f"{FOLDER}/{'x' * 300}",
)  # fmt: skip


def _good() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the two files with every key, and a secret wherever one can stand."""
    client = {
        "uri": "https://idm.example.com",
        "verify_ca": True,
        "verify_hostnames": True,
        "ca_path": f"{FOLDER}/ca.pem",
        "connect_timeout": 15,
        "other": {"uri": "https://other.example.com"},
    }
    sender = tomli.loads((EXAMPLES / "mail-sender-full.toml").read_text())
    sender |= {"token": secrets.TOKEN, "mail_password": secrets.PASSWORD}
    sender["alert"] |= {
        "url": f"https://hooks.example.com/services/{secrets.WEBHOOK}",
        "headers": {"Authorization": f"Bearer {secrets.ACCESS_KEY}"},
        "command": ["/bin/true", secrets.ARGUMENT],
    }
    files = {"relay": ("ca_path", "client_cert_path", "client_key_path"), "alert": ("ca_path",)}
    names = {"ca_path": "ca.pem", "client_cert_path": "client.pem", "client_key_path": "client.key"}
    for table, keys in files.items():
        sender[table] |= {key: f"{FOLDER}/{names[key]}" for key in keys}
    sender["recipients"]["disposable_domains_path"] = f"{FOLDER}/domains"
    sender["brand"]["logo_path"] = f"{FOLDER}/logo.png"
    sender["templates"]["override_path"] = f"{FOLDER}/templates"
    return client, sender


CLIENT, SENDER = _good()
_TOP = {key: value for key, value in SENDER.items() if not isinstance(value, dict)}
_OF_URL = {
    **{key: value for key, value in _TOP.items() if key not in {"mail_username", "mail_password"}},
    "mail_relay": f"smtps://mail-sender:{secrets.URL_PASSWORD}@relay.example.com",
}
_BASES = (
    _TOP,
    _OF_URL,
    *({**_TOP, name: table} for name, table in SENDER.items() if isinstance(table, dict)),
    SENDER,
)
_KEYS = sorted(
    {
        "token_path",
        "mail_password_path",
        *CLIENT,
        *SENDER,
        *(key for table in SENDER.values() if isinstance(table, dict) for key in table),
    }
)
_SECRETS = (secrets.PASSWORD, f"smtps://{secrets.URL_PASSWORD}@h", f"https://h/?{secrets.WEBHOOK}", secrets.TOKEN)
_leaves = st.one_of(odd.plain, odd.times, st.sampled_from(_PATHS), st.sampled_from(_SECRETS))

_TOKENS = (
    b'"', b"'", b'"""', b"'''", b"=", b"[", b"]", b"[[", b"]]", b"{", b"}", b",", b".", b"#", b"\\", b"\\u12", b"\\x", b"\n", b"\r", b"\0",
    b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"[relay]\n", b"[headers]\n", b"inf", b"nan", b"1e999", b"0x" + b"f" * 5_000, b"[" * 2_000,
    b"a.b.c.d = 1\n", b"2026-01-01", b"9999-99-99", b"true", b"token", b"mail_password = ", b"mail_relay",
)  # fmt: skip


def toml(values: Mapping[str, Any]) -> bytes:
    """Return a table as TOML; its tables stand at its end, unless one is empty or has odd names."""
    flat = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in flat.items()]
    for name, table in values.items():
        if isinstance(table, dict):
            lines += [f"[{_key(name)}]", *(f"{_key(key)} = {_value(value)}" for key, value in table.items())]
    return "\n".join([*lines, ""]).encode(errors="surrogatepass")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(key)} = {_value(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if value is None or isinstance(value, str):
        return _text(value or "")
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


def _key(name: str) -> str:
    return name if re.fullmatch("[a-z_]+", name) else _text(name)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _as_variable(text: str) -> str:
    """Return a text as a variable can hold it."""
    return text.replace("\0", "").encode(errors="replace").decode()


_OF_PROXIES = (
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CREDENTIALS_DIRECTORY",
)
_OF_KEYS = sorted({name for field in (*of_client(), *of_sender()) for name in variables(field)})
_environments = st.one_of(
    *(st.just({}) for _ in range(3)),
    st.just({"HTTPS_PROXY": f"http://me:{secrets.PROXY_PASSWORD}@proxy.example.com:3128"}),
    st.just({"CREDENTIALS_DIRECTORY": f"{FOLDER}/credentials"}),
    st.dictionaries(
        st.one_of(st.sampled_from(_OF_PROXIES), st.sampled_from(_OF_KEYS), st.just("MAIL_SENDER_TOKN")),
        st.one_of(odd.texts, st.sampled_from(_PATHS), st.sampled_from(_SECRETS), odd.values().map(_value)).map(
            _as_variable
        ),
        min_size=1,
        max_size=3,
    ),
)
_clients = st.one_of(
    *(st.just(toml(CLIENT)) for _ in range(4)),
    odd.changed(CLIENT, sorted(CLIENT), _leaves).map(toml),
    odd.damaged(toml(CLIENT), _TOKENS),
    st.binary(max_size=100),
)
_senders = st.one_of(
    *(odd.changed(base, _KEYS, _leaves, most).map(toml) for base in _BASES for most in (1, 4)),
    *(odd.damaged(toml(base), _TOKENS) for base in (_TOP, _OF_URL, SENDER)),
    st.binary(max_size=200),
)
cases = st.fixed_dictionaries({"client": _clients, "sender": _senders, "environment": _environments})


def check(case: dict[str, Any]) -> str:
    """Read the two files as each part of the program does."""
    folder = _folder()
    paths = folder / "config", folder / "mail-sender"
    for path, name in zip(paths, ("client", "sender"), strict=True):
        path.write_bytes(case[name].replace(FOLDER.encode(), str(folder).encode()))
    environment = {name: text.replace(FOLDER, str(folder)) for name, text in case["environment"].items()}
    with patch.dict(os.environ, environment):
        end, texts = _read(*paths)
    for text in texts:
        assert text.isprintable(), f"it would be obeyed by a terminal: {text!r}"
    secrets.require_hidden(*texts, but=_in_paths(case))
    return end


def _read(client: Path, sender: Path) -> tuple[str, list[str]]:
    """Return how it ended, and all that is said."""
    try:
        return "a configuration", [*load.load(client, sender).warnings]
    except ConfigError as error:
        end = "not TOML" if any("not TOML" in fault.found for fault in error.faults) else "faults"
        texts = [str(error)]
    found = subject.read(client, sender)
    texts += [*map(str, found.reading.faults), *found.reading.warnings]
    try:
        shown = lenient_config.read(sender)
        texts += [*map(str, shown.faults), *map(str, shown.elsewhere), *shown.warnings]
    except ConfigError as unusable:
        texts.append(str(unusable))
    return end, [line for text in texts for line in text.split("\n")]


def _in_paths(case: dict[str, Any]) -> frozenset[str]:
    """Return the secrets that stand where a path belongs: paths are shown. One in `token_path` is hidden all the same."""
    lines = [
        *case["sender"].decode(errors="replace").split("\n"),
        *case["client"].decode(errors="replace").split("\n"),
    ]
    lines += [f"{name} = {text}" for name, text in case["environment"].items()]
    of_paths = [line for line in lines if _OF_PATHS.match(line)]
    return frozenset(secret for secret in secrets.ALL if any(secrets.holds(line, secret) for line in of_paths))


_OF_PATHS = re.compile(
    r'["\']?(?!.*(?:token|password))\w*(?:path|file|dir|directory|command|listen)["\']?\s*=', re.IGNORECASE
)


@cache
def _folder() -> Path:
    """Make the folder of files that cases name; it is kept for as long as the process lives."""
    folder = Path(mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    authority = trustme.CA()
    one, other = authority.issue_cert("one.example"), authority.issue_cert("other.example")
    pem = authority.cert_pem.bytes()
    texts = {
        "ca.pem": pem,
        "client.pem": one.cert_chain_pems[0].bytes(),
        "client.key": one.private_key_pem.bytes(),
        "other.key": other.private_key_pem.bytes(),
        "half.pem": pem[: len(pem) // 2],
        "text": b"hello\n",
        "secret": f"{secrets.PASSWORD}\n".encode(),
        "credentials/mail-sender.token": f"{secrets.TOKEN}\n".encode(),
        "domains": b"mailinator.example\n# a comment\n*.throwaway.example\n",
        "logo.png": b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x10\0\0\0\x10\x08\6\0\0\0",
        "broken-templates/credential_reset_v1/body.txt": b"{{ 1 / 0 }}{% if %}",
    }
    for name, octets in texts.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(octets)
    (folder / "templates").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    return folder


def _case(client: bytes = toml(CLIENT), sender: bytes = toml(_TOP), **environment: str) -> dict[str, Any]:
    return {"client": client, "sender": sender, "environment": environment}


FOUND = (
    _case(SSL_CERT_FILE=" " * 5_000),
    _case(SSL_CERT_FILE="\t"),
    _case(toml({**CLIENT, "ca_path": f"{FOLDER}/pipe"})),
    _case(toml({**CLIENT, "ca_path": "/dev/zero"})),
    _case(sender=toml({**_TOP, "file:///etc/passwd" * 10_000: 1})),
    _case(sender=toml({**_TOP, "templates": {"override_path": "/"}})),
    _case(sender=toml({**_TOP, "recipients": {"disposable_domains_path": f"{FOLDER}/pipe"}})),
    _case(MAIL_SENDER_MAIL_PASSWORD_FILE=secrets.PASSWORD, sender=toml({**_TOP, "mail_password": ""})),
)

TARGET = Target("configurations", cases, check, frozenset({"a configuration", "faults", "not TOML"}), FOUND)
