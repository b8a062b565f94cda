"""Reads the table of presets, `presets.toml`, which says what is in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mail_sender import toml

_TABLE = Path(__file__).with_suffix(".toml")
_REGION = re.compile(r"[a-z]{2}(-[a-z]{2,12}){1,3}-\d{1,2}")  # eu-central-1, us-gov-west-1


class NoSuchRegion(ValueError):
    """The provider has no such region, or needs one; the message says which there are."""


@dataclass(frozen=True, slots=True)
class OAuthPreset:
    """A provider's token endpoint, with {tenant} in it where it needs one, and the scope of each flow."""

    token_url: str
    scope: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preset:
    """What is the same for everybody at a provider; what it does not have is empty, or None."""

    name: str
    relay: str = ""
    regions: Mapping[str, str] = field(default_factory=dict)
    any_region: str = ""
    username: str = ""
    per_minute: int | None = None
    connections: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    oauth: OAuthPreset | None = None

    @property
    def has_regions(self) -> bool:
        """Whether there is something to choose."""
        return bool(self.regions or self.any_region)

    def mail_relay(self, region: str | None) -> str:
        """Return the relay of a region, or of the usual one. Raises `NoSuchRegion`."""
        if self.any_region:
            if region is None or not _REGION.fullmatch(region):
                raise NoSuchRegion("expected a region such as eu-central-1")
            return self.any_region.format(region=region)
        if not self.regions:
            return self.relay
        if region is None:
            return next(iter(self.regions.values()))
        if region not in self.regions:
            raise NoSuchRegion(f"expected {' or '.join(self.regions)}")
        return self.regions[region]


@cache
def presets() -> Mapping[str, Preset]:
    """Return all presets by the name that the configuration uses; they are read once, when one is asked for."""
    table = toml.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        name: Preset(**{**row, "oauth": OAuthPreset(**row["oauth"]) if "oauth" in row else None})
        for name, row in table.items()
    }
