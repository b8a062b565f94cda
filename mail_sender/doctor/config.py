"""The configuration of the doctor: what no other part of the sender needs to know."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DoctorConfig:
    """`dkim_selectors` are the selectors by which the relay signs, where they are known (RFC 6376, section 3.1)."""

    dkim_selectors: tuple[str, ...] = ()
