"""Certificates that are renewed on disk while the sender runs, as certbot does it: links are turned, one by one."""

from pathlib import Path

import pytest
import trustme

from tests.support import configs
from tests.support.certificates import Authority
from tests.support.scripted_relay import CUT, ScriptedRelay
from tests.support.sender import Sender
from tests.support.stub import Stub


class Live:
    """The folder that the configuration names, whose links lead to files in another one."""

    def __init__(self, folder: Path) -> None:
        self._live, self._archive = folder / "live", folder / "archive"
        self._live.mkdir()
        self._archive.mkdir()
        self._number = 0

    def path(self, name: str) -> Path:
        """Return the link of this name."""
        return self._live / name

    def renew(self, name: str, blob: trustme.Blob) -> None:
        """Put a new file into the archive, and turn the link to it, in one step."""
        self._number += 1
        made = self._archive / f"{self._number}-{name}"
        made.touch(mode=0o600)
        made.write_bytes(blob.bytes())
        (self._live / "new").symlink_to(f"../archive/{made.name}")
        (self._live / "new").rename(self.path(name))


@pytest.fixture
def live(tmp_path: Path) -> Live:
    """Give an empty folder of links."""
    return Live(tmp_path)


def test_renewed_certificates_count_without_a_restart(brisk: Stub, live: Live, authority: Authority) -> None:
    """New connections use them. Between a certificate and its key, mail goes out with the pair before."""
    first, second = (authority.authority.issue_cert("mail-sender@example.com") for _ in range(2))
    context = authority.server(client_ca=authority.pem)
    # Each mail on a connection of its own.
    closing = ScriptedRelay(tls=context, per_connection=1, then={"RSET": CUT, "MAIL": CUT})
    live.renew("ca.pem", authority.authority.cert_pem)
    live.renew("cert.pem", first.cert_chain_pems[0])
    live.renew("key.pem", first.private_key_pem)
    table = {"ca_path": "ca.pem", "client_cert_path": "cert.pem", "client_key_path": "key.pem"}
    with closing as relay:
        configs.change(
            brisk.sender_config,
            mail_relay=f"smtps://localhost:{relay.port}",
            relay={key: live.path(name) for key, name in table.items()},
        )
        with Sender(brisk.client_config, brisk.sender_config) as sender:
            brisk.send_test("ellie")
            sender.wait_for("marked")

            live.renew("cert.pem", second.cert_chain_pems[0])
            (line,) = sender.wait_for("config_rejected")
            assert "relay.client_key_path" in line
            assert "the key is not the certificate's" in line
            brisk.send_test("ellie")
            sender.wait_for("marked", 2)

            live.renew("key.pem", second.private_key_pem)
            sender.wait_for("config_reloaded")
            brisk.send_test("ellie")
            sender.wait_for("marked", 3)
            assert relay.client_serials[0] == relay.client_serials[1] != relay.client_serials[-1]

            another = trustme.CA()
            another.issue_cert("localhost").configure_cert(context)
            brisk.send_test("ellie")
            sender.wait_for("relay_down")
            live.renew("ca.pem", another.cert_pem)
            sender.wait_for("config_reloaded", 2)
            sender.wait_for("marked", 4)
            assert sender.stop() == 0
    assert len(relay.mails) == 4
