"""`[relay] preset`: puts in what is the same for everybody at a provider, where the configuration says nothing.

What it puts in is treated as if it stood in the file: the same checks, the same use. A fault of it names the preset.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mail_sender.config.origin import Origin
from mail_sender.config.toml_file import Key, TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.relay.presets import NoSuchRegion, Preset, presets

_PRESET, _REGION = ("relay", "preset"), ("relay", "region")
_OAUTH = ("relay", "oauth")
_TENANT = (*_OAUTH, "tenant")


def put(file: TomlFile) -> Iterator[ConfigFault]:
    """Put the values of the file's preset in; yield faults."""
    name = file.value(_PRESET)
    if name is None:
        yield from _useless(file)
        return
    if not isinstance(name, str):  # the key's own check reports it
        return
    preset = presets().get(name)
    if preset is None:
        yield file.fault(_PRESET, "is no preset", f"expected one of {', '.join(presets())}")
        return
    here = file.origin(_PRESET)
    origin = Origin("preset", here.path, here.line, name)
    yield from _put_relay(file, preset, origin)
    yield from _put_oauth(file, preset, origin)


def _useless(file: TomlFile) -> Iterator[ConfigFault]:
    for key in (_REGION, _TENANT):
        if file.value(key) is not None:
            yield file.fault(key, "is set, but no preset uses it", "set [relay] preset, or remove it")


def _put_relay(file: TomlFile, preset: Preset, origin: Origin) -> Iterator[ConfigFault]:
    region = file.value(_REGION)
    if region is not None and not preset.has_regions:
        yield file.fault(_REGION, f"is set, but {preset.name} has no regions to choose from", "remove it")
    elif file.value(("mail_relay",)) is None and (region is None or isinstance(region, str)):
        try:
            _put_default(file, ("mail_relay",), preset.mail_relay(region), origin)
        except NoSuchRegion as error:
            found = "is missing" if region is None else f"is no region of {preset.name}"
            yield file.fault(_REGION, found, f"{error}, as the provider's console shows it")
    _put_default(file, ("mail_username",), preset.username, origin)
    _put_default(file, ("relay", "per_minute"), preset.per_minute, origin)
    _put_default(file, ("relay", "connections"), preset.connections, origin)
    _put_headers(file, preset, origin)


def _put_headers(file: TomlFile, preset: Preset, origin: Origin) -> None:
    table: Any = file.value(("headers",))
    if table is None:
        _put_default(file, ("headers",), dict(preset.headers), origin)
        return
    given = {str(name).lower() for name in table} if isinstance(table, dict) else {*map(str.lower, preset.headers)}
    for name, value in preset.headers.items():
        if name.lower() not in given:
            _put_default(file, ("headers", name), value, origin)


def _put_oauth(file: TomlFile, preset: Preset, origin: Origin) -> Iterator[ConfigFault]:
    table, tenant = file.value(_OAUTH), file.value(_TENANT)
    if not isinstance(table, dict) or not table:
        return
    needs_tenant = preset.oauth is not None and "{tenant}" in preset.oauth.token_url
    if tenant is not None and not needs_tenant:
        yield file.fault(_TENANT, f"is set, but {preset.name} has no tenants", "remove it")
    flow = table.get("flow")
    if preset.oauth is None or flow == "command":
        return
    if needs_tenant and tenant is None and table.get("token_url") is None:
        expected = "write the Directory (tenant) ID, or a domain of the tenant"
        yield file.fault(_TENANT, "is missing", expected)
    elif isinstance(tenant, str) or not needs_tenant:
        _put_default(file, (*_OAUTH, "token_url"), preset.oauth.token_url.format(tenant=tenant), origin)
    _put_default(file, (*_OAUTH, "scope"), preset.oauth.scope.get(str(flow)), origin)


def _put_default(file: TomlFile, key: Key, value: object, origin: Origin) -> None:
    if value and file.value(key) is None:
        file.put(key, value, replace(origin, name=f'{".".join(key)} (of the preset "{origin.name}")'))
