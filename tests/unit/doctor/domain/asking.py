"""Answers of a DNS that is a table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mail_sender.doctor.domain.answer import Answer, Ask, Kind, Outcome
from mail_sender.doctor.finding import Finding

FAILS = "SERVFAIL from 192.0.2.53"

Rows = Mapping[tuple[str, str], Sequence[str] | str]
"""Records by name and type; a text says why the look-up fails. A name without any row does not exist."""

RSA_2048 = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwKTmgakjeH7YCypafRPuKGMy4i5fftnA+0EJ2bqhh1kDLRQzke7y213ijxKGdAlmxpcvIumgR8"
    "ypbZ3Ez4ETP5B1SGMXcpfx8DYqWbKG0G7aHNg6TvMfB9SI+pcsHL3QDZbp9oX9EoXCg4peroi+xdvgDgaUE0lyR8p62fdZcIfnI74ECHo1mfR9Kj50ImizZ"
    "Ve0YwZTvcuasPtAZS+necld+rCGCFYEtFiWVogjmG86MwuYEamIbKaFE/ksuh5hWQlZk64yLRMSqTejk+YD9gARDirDughhPoPqXZSF3OBd5HqtjuuCsunY"
    "yCehZuZ1WgBh22STJmTDysCiGfH7ewIDAQAB"
)
RSA_1024 = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDoR/HMKeNw8GRR8xdphAheeia3JxHNj7w39m2968EIOo10ZA/e4J0ecqxInU6vSdW6V1pt+P"
    "mvdYuv5FbbXP+mGaYaYYLN/lAalo+JPk3fBylq7sYQJGVpZd/DYl2+A4WIwg7xfy8NT8TQDQnjj4ql33t/yKFCxb+Tyxbr4OAk4QIDAQAB"
)
RSA_1024_BARE = (
    "MIGJAoGBAOhH8cwp43DwZFHzF2mECF56JrcnEc2PvDf2bb3rwQg6jXRkD97gnR5yrEidTq9J1bpXWm34+a91i6/kVttc/6YZphphgs3+UBqWj4"
    "k+Td8HKWruxhAkZWll38NiXb4DhYjCDvF/Lw1PxNANCeOPiqXfe3/IoULFv5PLFuvg4CThAgMBAAE="
)
RSA_512 = (
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAJtWl6vE0Um1BjhfFZz3OS5nOhTrTyP8ESaceIXk5u7jlwTMXrS7p4MhkhfOXCNuDlc0"
    "SjcsoZC9mdf/P7l6wXMCAwEAAQ=="
)
ED25519 = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

GOOD: Rows = {
    ("acme.zz", "MX"): ["10 mx.acme.zz"],
    ("mx.acme.zz", "A"): ["192.0.2.1"],
    ("acme.zz", "TXT"): ["a-site-verification=1", "v=spf1 mx -all"],
    ("s1._domainkey.acme.zz", "TXT"): [f"v=DKIM1; k=rsa; p={RSA_2048}"],
    ("_dmarc.acme.zz", "TXT"): ["v=DMARC1; p=reject; rua=mailto:dmarc@acme.zz"],
    ("smtp.acme.zz", "A"): ["192.0.2.1"],
}
"""A domain with everything as it should be."""


def table(rows: Rows) -> Ask:
    """Return what asks this table."""

    async def ask(name: str, kind: Kind) -> Answer:
        found = rows.get((name, kind), ())
        if isinstance(found, str):
            return Answer(Outcome.FAILED, reason=found)
        if found:
            return Answer(Outcome.FOUND, tuple(found))
        if alias := rows.get((name, "CNAME")):
            return replace(await ask(alias[0], kind), alias=alias[0])
        known = any(row == name or row.endswith("." + name) for row, _ in rows)
        return Answer(Outcome.EMPTY if known else Outcome.NO_NAME)

    return ask


def changed(rows: Rows, changes: Rows) -> Rows:
    """Return rows with changes; an empty list takes a row out."""
    return {place: records for place, records in {**rows, **changes}.items() if records}


def shown(finding: Finding) -> str:
    """Return a finding as one line."""
    return f"{finding.level} {finding.check}: {finding.seen} | {finding.advice}"
