"""The unit of the examples under a real systemd: as it is, and with systemd's credentials and a user of its own making."""

import shutil
from pathlib import Path

import pytest
import tomli

from tests.container.machine import Machine
from tests.repo import checkout
from tests.support import configs
from tests.support.stub import Stub

pytestmark = [pytest.mark.debian("podman", "runc", "systemd", root=True), pytest.mark.timeout(300)]

UNIT = checkout.ROOT / "examples/systemd/mail-sender.service"
DROP_IN = checkout.ROOT / "examples/systemd/credentials.conf"
STATUS = ("CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid")


def files(folder: Path, stub: Stub, *, credentials: bool) -> Path:
    """Put what the reader installs where the reader installs it."""
    kanidm, units = folder / "etc/kanidm", folder / "etc/systemd/system"
    (kanidm / "credentials").mkdir(parents=True)
    units.mkdir(parents=True)
    shutil.copy(UNIT, units)
    configs.change(stub.sender_config, relay={"ca_path": "/etc/kanidm/ca.pem"}, schedule="* * * * * *", ledger=None)
    if credentials:
        (units / "mail-sender.service.d").mkdir()
        shutil.copy(DROP_IN, units / "mail-sender.service.d")
        values = tomli.loads(stub.sender_config.read_text())
        for name in ("token", "mail_password"):
            (kanidm / "credentials" / name).write_text(str(values[name]))
            (kanidm / "credentials" / name).chmod(0o400)
        configs.change(stub.sender_config, token=None, mail_password=None)
    for source in (stub.client_config, stub.sender_config, stub.ca):
        shutil.copy(source, kanidm)
    client = kanidm / "config"
    client.write_text(client.read_text().replace(str(stub.dir), "/etc/kanidm"))
    client.chmod(0o644)
    (kanidm / "mail-sender").chmod(0o644 if credentials else 0o400)
    return folder


@pytest.mark.parametrize("credentials", [False, True], ids=["as it is", "with credentials"])
def test_the_unit_carries_mail_under_systemd(stub: Stub, tmp_path: Path, *, credentials: bool) -> None:
    """It is started when it is ready, sees one folder that it may write, reloads, and stops well."""
    stub.send_test("ellie")
    tree = files(tmp_path / "files", stub, credentials=credentials)
    with Machine(tmp_path / "machine", tree, "" if credentials else "mail-sender") as machine:
        machine.output("systemctl", "start", "mail-sender")
        found = machine.shown("ActiveState", "MainPID", "StatusText")
        assert found["ActiveState"] == "active"
        machine.until(lambda: bool(stub.mails()))
        assert found["StatusText"].startswith("all well")
        assert [mail["To"] for mail in stub.mails()] == ["ellie@example.com"]
        lines = machine.output("cat", f"/proc/{found['MainPID']}/status").splitlines()
        said = {key: value.split() for key, _, value in (line.partition(":\t") for line in lines) if key in STATUS}
        assert all(int(value[0], 16) == 0 for key, value in said.items() if key.startswith("Cap"))
        assert (said["NoNewPrivs"], said["Seccomp"]) == (["1"], ["2"])
        assert int(said["Uid"][0]) > 0
        machine.output("systemctl", "reload", "mail-sender")
        state = "/var/lib/private/mail-sender" if credentials else "/var/lib/mail-sender"
        assert machine.output("stat", "-c", "%a %u", state).split() == ["700", said["Uid"][0]]
        machine.output("systemctl", "stop", "mail-sender")
        assert machine.shown("Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}
