"""The examples for compose, Quadlet and Kubernetes, started: with each, a mail goes from the queue to the mailbox."""

import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli
import yaml

from tests.container import engines
from tests.container.image import CLONE, PODMAN, Image, Running, new_name
from tests.repo.test_examples import COMPOSE, KUBERNETES, QUADLET, section
from tests.support import configs
from tests.support.scripted_relay import ScriptedRelay
from tests.support.service_manager import ServiceManager
from tests.support.stub import Stub

pytestmark = [
    pytest.mark.debian("buildah", "debootstrap", "openssl", "podman", "runc"),
    pytest.mark.timeout(600),
]
OPENSHIFT = "1000680000:0"


@pytest.fixture
def folder(stub: Stub, tmp_path: Path) -> Path:
    """The reader's own files, without secrets in the configuration: these lie beside it."""
    made = tmp_path / "own"
    (made / "ca").mkdir(parents=True)
    token, password = stub.tokens["readwrite"], configs_of(stub)["mail_password"]
    for name, text in (("token", token), ("mail_password", password)):
        (made / name).write_text(str(text))
    for place in (made, made / "ca"):
        shutil.copy(stub.ca, place / "ca.pem")
    write(made, stub, "/data/kanidm/ca.pem")
    return made


def configs_of(stub: Stub) -> dict[str, object]:
    """Return the stub's own mail-sender config."""
    return dict(tomli.loads(stub.sender_config.read_text()))


def write(folder: Path, stub: Stub, ca: str) -> None:
    """Write both files of the configuration for the stub, with this path of its CA."""
    configs.write(folder / "config", {"uri": stub.url, "ca_path": ca})
    values = configs_of(stub) | {"schedule": "* * * * * *", "relay": {"ca_path": ca}}
    kept = {key: value for key, value in values.items() if key not in {"token", "mail_password", "ledger"}}
    configs.write(folder / "mail-sender", kept)
    for name in ("config", "mail-sender"):
        (folder / name).chmod(0o644)


def owned(folder: Path, uid: int) -> None:
    """Let one user alone read the secrets."""
    for name in ("token", "mail_password"):
        shutil.chown(folder / name, uid, uid)
        (folder / name).chmod(0o400)


def carries_a_mail(image: Image, stub: Stub, options: list[str], meanwhile: Callable[[], object] = bool) -> None:
    """Start a container, have it send what is queued, do something beside it, and stop it."""
    stub.send_test("ellie")
    with Running(image, options=["--network", "host", *options]) as sender:
        sender.until(lambda: bool(stub.mails()))
        sender.until(lambda: all(message.get("sent_at") for message in stub.messages()))
        meanwhile()
        sender.signal("TERM")
        code, printed = sender.ended(within=20)
    assert code == 0, printed
    assert "config_warning" not in printed, printed
    assert [mail["To"] for mail in stub.mails()] == ["ellie@example.com"]


def test_the_service_of_the_compose_file_carries_a_mail(image: Image, stub: Stub, folder: Path) -> None:
    """With its user, its read-only root, its secret in a file and its CA in a volume; the relay here wants a login."""
    service = yaml.safe_load(COMPOSE.read_text())["services"]["mail-sender"]
    service["secrets"].append("mail_password")
    service["environment"]["MAIL_SENDER_MAIL_PASSWORD_FILE"] = "/run/secrets/mail_password"
    write(folder, stub, "/ca/ca.pem")
    owned(folder, 10001)
    carries_a_mail(image, stub, engines.of_compose(service, folder))


def test_the_quadlet_unit_carries_a_mail_and_tells_systemd(
    image: Image, stub: Stub, folder: Path, tmp_path: Path
) -> None:
    """Its secrets are podman's own; that it is ready comes through podman (conmon passes on nothing else)."""
    files = {"mail-sender-token": "token", "mail-sender-password": "mail_password"}
    secrets = {name: engines.podman_secret(new_name(), folder / file) for name, file in files.items()}
    try:
        options = engines.of_quadlet(section(QUADLET, "Container"), folder, secrets)
        with ServiceManager.listening(tmp_path / "notify") as manager, pytest.MonkeyPatch.context() as patch:
            patch.setenv("NOTIFY_SOCKET", manager.address)
            carries_a_mail(image, stub, options, lambda: manager.once("READY=1"))
    finally:
        subprocess.run([PODMAN, "secret", "rm", *secrets.values()], capture_output=True, check=True)


@pytest.mark.parametrize("user", [None, OPENSHIFT], ids=["kubernetes", "openshift"])
def test_the_pod_carries_a_mail(image: Image, stub: Stub, folder: Path, user: str | None) -> None:
    """With volumes as a kubelet makes them, and with the uid that OpenShift chooses."""
    pod = yaml.safe_load((KUBERNETES / "deployment.yaml").read_text())["spec"]["template"]["spec"]
    carries_a_mail(image, stub, engines.of_pod(pod, folder, user))


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """What the compose file's first service makes, by the same commands."""
    made = tmp_path / "certificates"
    for name in ("tls", "ca"):
        (made / name).mkdir(parents=True)
    service = yaml.safe_load(COMPOSE.read_text())["services"]["certificates"]
    script = service["command"][0].replace("$$", "$").replace("/tls", f"{made}/tls").replace("/ca/", f"{made}/ca/")
    for _ in range(2):  # the second time it finds them, and leaves them as they are
        subprocess.run([*service["entrypoint"], script], check=True, capture_output=True, timeout=60)
    return made


def test_the_certificate_for_mailpit_is_one_that_the_sender_trusts(
    image: Image, stub: Stub, folder: Path, certificates: Path
) -> None:
    """A test mail goes to `mailpit` by STARTTLS, with the configuration of the example but for the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "tls/mailpit.pem", certificates / "tls/mailpit.key")
    with ScriptedRelay(starttls=context) as relay:
        for name in ("config", "mail-sender"):
            text = (CLONE / "examples/compose" / name).read_text()
            (folder / name).write_text(text.replace("mailpit:1025", f"mailpit:{relay.port}"))
        service = yaml.safe_load(COMPOSE.read_text())["services"]["mail-sender"]
        shutil.copy(certificates / "ca/ca.pem", folder / "ca/ca.pem")
        owned(folder, 10001)
        options = ["--network", "host", "--add-host", "mailpit:127.0.0.1", *engines.of_compose(service, folder)]
        command = image.command("-t", "you@example.com", options=options)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "queued as SCRIPTED1" in done.stdout + done.stderr, done.stdout + done.stderr
