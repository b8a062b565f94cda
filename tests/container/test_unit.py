"""The unit of the examples under a real systemd: as it is, and with systemd's credentials and a user of its own making."""

import shutil
from pathlib import Path

import pytest
import tomli

from tests.container.machine import Machine
from tests.container.test_container import is_marked
from tests.repo import blocks, checkout
from tests.support import configs
from tests.support.stub import Stub

pytestmark = [pytest.mark.debian("podman", "runc", "systemd", root=True), pytest.mark.timeout(300)]

UNIT = checkout.ROOT / "examples/systemd/mail-sender.service"
STATUS = ("CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid")


@pytest.fixture
def tree(stub: Stub, tmp_path: Path) -> Path:
    """What the reader has installed where the reader installs it, and what the reader's clone has at /clone."""
    made = tmp_path / "tree"
    kanidm, units, clone = made / "etc/kanidm", made / "etc/systemd/system", made / "clone"
    for folder in (kanidm, units, clone):
        folder.mkdir(parents=True)
    shutil.copy(UNIT, units)
    shutil.copytree(UNIT.parent, clone / UNIT.parent.relative_to(checkout.ROOT))
    values = tomli.loads(stub.sender_config.read_text())
    for name in ("token", "mail_password"):
        (clone / name).write_text(str(values[name]))
    configs.change(stub.sender_config, relay={"ca_path": "/etc/kanidm/ca.pem"}, schedule="* * * * * *", ledger=None)
    shutil.copy(stub.sender_config, kanidm)
    (kanidm / "mail-sender").chmod(0o400)
    configs.change(stub.sender_config, token=None, mail_password=None)
    shutil.copy(stub.sender_config, clone)
    shutil.copy(stub.ca, kanidm)
    (kanidm / "config").write_text(stub.client_config.read_text().replace(str(stub.dir), "/etc/kanidm"))
    return made


def test_the_unit_carries_mail_under_systemd_as_it_is_and_with_credentials(
    stub: Stub, tree: Path, tmp_path: Path
) -> None:
    """It is started when it is ready, reloads, and stops well; secrets are moved as docs/running.md says."""
    with Machine(tmp_path / "machine", tree, "mail-sender") as machine:
        stub.send_test("ellie")
        machine.output("systemctl", "start", "mail-sender")
        machine.until(lambda: is_marked(stub))
        assert len(stub.mails()) == 1
        assert confined_user(machine) == machine.output("stat", "-c", "%u", "/var/lib/mail-sender").strip()
        machine.output("systemctl", "reload", "mail-sender")

        # Afterwards nobody has an account for it.
        machine.output("userdel", "mail-sender", "--force")
        machine.output("cp", "/clone/mail-sender", "/etc/kanidm/mail-sender")
        (block,) = (text for text in blocks.under("docs/running.md", "sh") if "credentials.conf" in text)
        machine.output("sh", "-euc", f"cd /clone\n{block}")
        stub.send_test("ellie")
        machine.until(lambda: is_marked(stub))
        assert len(stub.mails()) == 2
        user = confined_user(machine)
        assert machine.output("stat", "-c", "%a %u", "/var/lib/private/mail-sender").split() == ["700", user]
        machine.output("systemctl", "stop", "mail-sender")
        assert machine.shown("Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}


def confined_user(machine: Machine) -> str:
    """Return the uid of the running service, which has no capability and can get none; all is well with it."""
    machine.until(lambda: machine.shown("StatusText")["StatusText"].startswith("all well"))
    found = machine.shown("ActiveState", "MainPID")
    assert found["ActiveState"] == "active"
    lines = machine.output("cat", f"/proc/{found['MainPID']}/status").splitlines()
    said = {key: value.split() for key, _, value in (line.partition(":\t") for line in lines) if key in STATUS}
    assert all(int(value[0], 16) == 0 for key, value in said.items() if key.startswith("Cap"))
    assert (said["NoNewPrivs"], said["Seccomp"]) == (["1"], ["2"])
    assert int(said["Uid"][0]) > 0
    return said["Uid"][0]
