"""What expires is known by the token's own words, by our certificate's file, and by what peers showed last."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

from mail_sender.condition import Condition
from mail_sender.names.secret import Secret
from mail_sender.observe import expiries
from mail_sender.observe.expiries import Expiries
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.relay_url import Security
from mail_sender.sender.parts import Parts
from mail_sender.sender.relays import Relay, Relays
from mail_sender.source.config import SourceConfig
from mail_sender.tls import certificate
from mail_sender.tls.certificate import Certificate
from tests.support.certificates import Authority
from tests.support.memory_source import MemorySource
from tests.support.recording_transport import RecordingTransport
from tests.support.samples import DAY, NOW


def test_what_a_peer_showed_last_is_kept() -> None:
    """Until it shows another one; before its first connection there is none."""
    seen: list[Certificate | None] = [None, Certificate(NOW), None, Certificate(NOW + DAY)]
    found = Expiries({"token": None}, {"relay_certificate": lambda: seen.pop(0)})
    assert [dict(found()) for _ in range(4)] == [
        {},
        {"relay_certificate": NOW},
        {"relay_certificate": NOW},
        {"relay_certificate": NOW + DAY},
    ]


def test_token_and_our_own_certificate_are_known_at_once(tmp_path: Path) -> None:
    """The token is only looked at for its end."""
    claims = base64.urlsafe_b64encode(json.dumps({"expiry": NOW.timestamp()}).encode()).decode().rstrip("=")
    source = SourceConfig("https://idm.example.com", Secret(f"x.{claims}.x"))
    own, key = Authority.make(tmp_path).client(tmp_path)
    relay = RelayConfig("relay", 465, Security.IMPLICIT, "here", client_cert_path=own, client_key_path=key)
    relays = Relays([Relay(relay.place, RecordingTransport(), Condition("relay"))])
    parts: Parts = Parts(MemorySource(), None, relays)  # type: ignore[arg-type]  # no ledger is needed
    found = expiries.of(source, [relay], parts)()
    assert found["token"] == NOW
    assert found["client_certificate"] > datetime.now(UTC)
    assert set(expiries.of(source, [FolderConfig(tmp_path)], parts)()) == {"token"}


def test_a_file_that_is_no_certificate_has_no_end(tmp_path: Path) -> None:
    """It may be gone, or somebody may be writing it."""
    (tmp_path / "x").write_text("none")
    assert certificate.of_file(tmp_path / "x") is None
    assert certificate.of_file(tmp_path / "y") is None
