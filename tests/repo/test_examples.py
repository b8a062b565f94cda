"""The examples for compose, Quadlet, Kubernetes and systemd: valid, and in step with the program and the image.

tests/container starts what they describe.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from mail_sender.config import load
from mail_sender.config.environment import OWN, variables
from mail_sender.config.fields import of_client, of_sender
from mail_sender.ledger import state_folder
from tests.repo import checkout, commands
from tests.repo.blocks import Block
from tests.repo.commands import Command
from tests.support.certificates import Authority

EXAMPLES = checkout.ROOT / "examples"
FOLDERS = ("compose", "kubernetes", "kubernetes-replicas", "quadlet", "systemd")
COMPOSE = EXAMPLES / "compose/compose.yaml"
COMPOSE_REPLICAS = EXAMPLES / "compose/replicas.yaml"
KUBERNETES = EXAMPLES / "kubernetes"
REPLICAS = EXAMPLES / "kubernetes-replicas"
of_each = pytest.mark.parametrize("folder", [KUBERNETES, REPLICAS], ids=lambda folder: str(folder.name))
QUADLET = EXAMPLES / "quadlet/mail-sender.container"
IMAGE = (checkout.ROOT / "Containerfile").read_text()
QUADLET_KEYS = {
    "Image", "ContainerName", "Notify", "Volume", "Secret", "Environment", "User", "Group", "ReadOnly", "DropCapability",
    "NoNewPrivileges", "HealthCmd", "HealthInterval", "HealthTimeout", "HealthStartPeriod", "HealthRetries", "HealthOnFailure",
}  # fmt: skip
"""The keys of [Container] that podman 4.5 knows, as far as they are used (podman-systemd.unit(5))."""


def files() -> list[Path]:
    """The files of these examples."""
    return [file for file in checkout.files() if file.parts[0] == "examples" and file.parts[1] in FOLDERS]


def text_of(file: Path) -> str:
    return (checkout.ROOT / file).read_text()


def from_comments() -> Iterator[Command]:
    """Yield the commands of comments: what is indented there."""
    for file in files():
        lines = re.findall(r"(?m)^# {2,}(\S.*)$", text_of(file))
        typed = [line for line in lines if not re.match(r"[A-Za-z_]+:|-|\w+=", line)]
        yield from commands.of_block(Block(str(file), 1, "sh", "".join(f"{line}\n" for line in typed)))


def from_values() -> Iterator[Command]:
    """Yield the commands that engines start: probes, health checks, the unit's program."""
    for file in files():
        found = re.findall(r"(?:command|test): \[(?:CMD, )?(mail-sender.*?)\]", text_of(file))
        found += re.findall(r"(?m)^(?:HealthCmd|ExecStart)=(.*)$", text_of(file))
        for words in found:
            program, *arguments = words.replace(",", "").split()
            yield Command(str(file), Path(program).name, tuple(arguments))


def test_every_command_of_the_examples_is_one_of_the_program() -> None:
    """Its words and options are read by the program's own command line, also those inside a container."""
    ours = [command for command in (*from_comments(), *from_values()) if command.program in commands.OURS]
    assert len(ours) >= 8
    assert [f"{command}: {found}" for command in ours if (found := commands.problem(command))] == []


def test_every_variable_of_the_examples_is_one_of_the_program() -> None:
    """One that the program does not know would be a secret that never arrives."""
    known = OWN | {name for field in (*of_client(), *of_sender()) for name in variables(field)}
    used = {name for file in files() for name in re.findall(r"MAIL_SENDER_\w+", text_of(file))}
    assert used
    assert used <= known


def test_every_file_that_an_example_names_is_there() -> None:
    """Whoever copies the commands finds what they copy."""
    for file in files():
        for name in re.findall(r"(?<![\w/.])examples/[\w./-]+", text_of(file)):
            assert (checkout.ROOT / name.rstrip(".")).exists(), f"{file}: {name}"
        for name in re.findall(r"(?<![\w.])\./([\w-]+(?:\.\w+)?)", text_of(file)):
            place = (checkout.ROOT / file).parent / name
            assert place.exists() or name == "secrets", f"{file}: ./{name}"


def test_the_examples_use_the_folders_and_the_user_of_the_image() -> None:
    """State, configuration and uid are the image's; the stop takes longer than the sender's grace."""
    state, config = str(state_folder.DEFAULT), "/data/kanidm"
    assert f"MAIL_SENDER_CONFIG={config}/mail-sender" in IMAGE
    assert f"VOLUME {state}\nUSER 10001:10001\n" in IMAGE
    (service,) = (one for name, one in compose()["services"].items() if name == "mail-sender")
    assert {volume.split(":")[1] for volume in service["volumes"]} >= {
        state,
        f"{config}/config",
        f"{config}/mail-sender",
    }
    assert service["user"] == "10001:10001"
    assert {volume.split(":")[1] for volume in container()["Volume"]} == {state, config}
    assert (container()["User"], container()["Group"]) == (["10001"], ["10001"])
    grace = 8
    for folder in (KUBERNETES, REPLICAS):
        pod = deployment(folder)["spec"]["template"]["spec"]
        assert {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]} >= {state, config}
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["terminationGracePeriodSeconds"] > grace
    assert int(service["stop_grace_period"].removesuffix("s")) > grace
    assert int(re.findall(r"TimeoutStopSec=(\d+)", QUADLET.read_text())[0]) > grace


@pytest.mark.parametrize("folder", ["compose", "kubernetes", "kubernetes-replicas"])
def test_the_configuration_of_an_example_loads(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the secrets from where the example says; its CA is one that exists. What has replicas names a database."""
    Authority.make(tmp_path)
    for name in ("config", "mail-sender"):
        (tmp_path / name).write_text((EXAMPLES / folder / name).read_text().replace("/ca/", f"{tmp_path}/"))
    for name, value in (("TOKEN", "a.b.c"), ("MAIL_PASSWORD", "secret")):
        (tmp_path / name).write_text(value)
        if name == "TOKEN" or folder != "compose":
            monkeypatch.setenv(f"MAIL_SENDER_{name}_FILE", str(tmp_path / name))
    if folder.endswith("replicas"):
        monkeypatch.setenv("MAIL_SENDER_LEDGER_PASSWORD_FILE", str(tmp_path / "MAIL_PASSWORD"))
    loaded = load.load(tmp_path / "config", tmp_path / "mail-sender")
    assert loaded.source.uri.startswith("https://idm.example.com")
    assert (loaded.ledger.kind == "postgresql") == folder.endswith("replicas")
    assert not [warning for warning in loaded.warnings if "[ledger]" in warning]
    if folder == "compose":
        for name, value in compose(COMPOSE_REPLICAS)["services"]["mail-sender"]["environment"].items():
            monkeypatch.setenv(name, re.sub("^(/ca|/run/secrets)/.*", "", value) or str(tmp_path / "ca.pem"))
        loaded = load.load(tmp_path / "config", tmp_path / "mail-sender")
        assert (loaded.ledger.kind, loaded.ledger.ca_path) == ("postgresql", tmp_path / "ca.pem")


# Compose


def compose(file: Path = COMPOSE) -> Mapping[str, Any]:
    return dict(yaml.safe_load(file.read_text()))


@pytest.mark.parametrize("file", [COMPOSE, COMPOSE_REPLICAS], ids=lambda file: str(file.name))
def test_the_compose_file_keeps_to_the_compose_specification(file: Path) -> None:
    """Every key is one of the specification's, as its schema has it."""
    command = [
        str(checkout.ROOT / ".venv/bin/check-jsonschema"),
        "--builtin-schema",
        "vendor.compose-spec",
        str(file),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_uses_what_it_declares_and_confines_the_sender() -> None:
    """Volumes, secrets and services that it names exist; nothing is published to the network but by this machine."""
    found = compose()
    declared = {*found["volumes"], "."}
    for name, service in found["services"].items():
        assert {volume.split(":")[0].split("/")[0] for volume in service["volumes"]} <= declared, name
        assert set(service.get("secrets", [])) <= set(found["secrets"])
        assert set(service.get("depends_on", [])) <= set(found["services"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    sender = found["services"]["mail-sender"]
    assert (sender["read_only"], sender["cap_drop"]) == (True, ["ALL"])
    assert sender["security_opt"] == ["no-new-privileges:true"]
    assert sender["environment"]["MAIL_SENDER_TOKEN_FILE"] == "/run/secrets/token"


def test_each_sender_of_the_replicas_has_a_state_folder_of_its_own_and_the_database() -> None:
    """In a shared folder one of them would stand by; the rest of the second sender is what the first one has."""
    over, under = compose(COMPOSE_REPLICAS), compose()
    first, second = over["services"]["mail-sender"], over["services"]["mail-sender-2"]
    assert second["extends"] == {"file": COMPOSE.name, "service": "mail-sender"}
    assert {key: value for key, value in second.items() if key not in {"extends", "volumes"}} == first
    state = str(state_folder.DEFAULT)
    volumes = [*under["services"]["mail-sender"]["volumes"], *second["volumes"]]
    of_state = [volume.split(":")[0] for volume in volumes if volume.split(":")[1] == state]
    assert len(set(of_state)) == len(of_state) == 2
    assert {volume.split(":")[0] for volume in second["volumes"]} <= set(over["volumes"])
    assert first["secrets"] == over["services"]["postgres"]["secrets"] == list(over["secrets"])
    server = over["services"]["postgres"]
    url = urlsplit(first["environment"]["MAIL_SENDER_LEDGER_URL"])
    assert (url.hostname, url.username, url.path) == (
        "postgres", server["environment"]["POSTGRES_USER"], f"/{server['environment']['POSTGRES_DB']}",
    )  # fmt: skip
    (made,) = re.findall(r"for name in (.*); do", under["services"]["certificates"]["command"][0])
    assert f"ssl_cert_file=/tls/{url.hostname}.pem" in server["command"]
    assert url.hostname in made.split()


# Quadlet


def container() -> Mapping[str, list[str]]:
    """Return the keys of [Container], each with its values."""
    return section(QUADLET, "Container")


def section(file: Path, name: str) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    body = re.split(r"(?m)^\[(\w+)\]\n", file.read_text())
    for line in body[body.index(name) + 1].splitlines():
        if line and line[0] not in "#;":
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def test_the_quadlet_unit_keeps_to_podmans_keys_and_confines_the_sender() -> None:
    """A key that podman does not know is an error of its generator, and no unit is made."""
    found = container()
    assert set(found) <= QUADLET_KEYS
    assert (found["ReadOnly"], found["DropCapability"], found["NoNewPrivileges"]) == (["true"], ["all"], ["true"])
    volume = next(one for one in found["Volume"] if ".volume:" in one).split(":")[0]
    assert set(section(QUADLET.with_name(volume), "Volume")) == {"VolumeName"}
    targets = {dict(part.split("=") for part in secret.split(",")[1:])["target"] for secret in found["Secret"]}
    named = {value.partition("=")[2] for value in found["Environment"]}
    assert targets == named


@pytest.mark.debian("systemd")
def test_systemd_finds_nothing_wrong_with_the_other_sections_of_the_quadlet_unit(tmp_path: Path) -> None:
    """As podman's generator leaves them: the section [Container] becomes a command."""
    text = re.sub(r"(?ms)^\[Container\]\n.*?(?=^\[Service\])", "", QUADLET.read_text())
    unit = tmp_path / "mail-sender.service"
    unit.write_text(text.replace("[Service]\n", "[Service]\nType=notify\nExecStart=/bin/true\n"))
    unit.write_text(unit.read_text().replace("/usr/bin/podman", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Kubernetes


def manifests(folder: Path = KUBERNETES) -> list[Mapping[str, Any]]:
    """Return the resources that a kustomization names."""
    names = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [yaml.safe_load((folder / name).read_text()) for name in names]


def deployment(folder: Path) -> Mapping[str, Any]:
    (found,) = (one for one in manifests(folder) if one["kind"] == "Deployment")
    return found


@of_each
def test_the_manifests_keep_to_the_api_of_kubernetes(folder: Path) -> None:
    """Every field is one of the API's, of the right type; unknown ones are faults."""
    schema = json.loads((checkout.ROOT / "tests/repo/kubernetes.schema.json").read_text())
    for manifest in manifests(folder):
        (name,) = (
            name
            for name in schema["$defs"]
            if name.startswith("io.k8s.api.") and name.endswith(f".{manifest['kind']}")
        )
        jsonschema.validate(manifest, {"$defs": schema["$defs"], "$ref": f"#/$defs/{name}"})


@of_each
def test_the_kustomization_names_every_file_and_its_names_meet(folder: Path) -> None:
    """What the pod mounts is made by the kustomization, or by the command in its comment."""
    text = (folder / "kustomization.yaml").read_text()
    found = yaml.safe_load(text)
    generated = {one["name"]: one["files"] for one in found["configMapGenerator"]}
    listed = {*found["resources"], *(name for names in generated.values() for name in names), "kustomization.yaml"}
    assert listed == {file.name for file in folder.iterdir()}
    by_kind = {manifest["kind"]: manifest for manifest in manifests(folder)}
    pod = by_kind["Deployment"]["spec"]["template"]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    (one,) = pod["spec"]["containers"]
    assert {mount["name"] for mount in one["volumeMounts"]} == set(volumes)
    assert volumes["config"]["configMap"]["name"] in generated
    (given,) = re.findall(
        rf"create secret generic {volumes['secrets']['secret']['secretName']}((?: --from-file=\w+)+)$",
        text,
        re.MULTILINE,
    )
    if claim := by_kind.get("PersistentVolumeClaim"):
        assert volumes["state"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    labels = by_kind["Deployment"]["spec"]["selector"]["matchLabels"]
    assert pod["metadata"]["labels"] == labels == by_kind["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    assert one["image"] in {image["name"] for image in found["images"]}
    at = next(mount["mountPath"] for mount in one["volumeMounts"] if mount["name"] == "secrets")
    assert [variable["value"] for variable in one["env"]] == [
        f"{at}/{name}" for name in re.findall(r"file=(\w+)", given)
    ]


def test_the_pod_is_one_or_shares_its_ledger_with_others() -> None:
    """One with a disk of its own, the old one ended before the new one begins; or several, of which some always work."""
    one, several = deployment(KUBERNETES)["spec"], deployment(REPLICAS)["spec"]
    assert (one["replicas"], one["strategy"]) == (1, {"type": "Recreate"})
    volumes = {volume["name"]: volume for volume in several["template"]["spec"]["volumes"]}
    assert set(volumes["state"]) == {"name", "emptyDir"}
    (budget,) = (one for one in manifests(REPLICAS) if one["kind"] == "PodDisruptionBudget")
    left = several["replicas"] - several["strategy"]["rollingUpdate"]["maxUnavailable"]
    assert 0 < budget["spec"]["minAvailable"] <= left < several["replicas"]
    labels = several["selector"]
    spread = several["template"]["spec"]["topologySpreadConstraints"]
    assert [budget["spec"]["selector"], *(constraint["labelSelector"] for constraint in spread)] == [labels] * 3
    egress = next(one for one in manifests(REPLICAS) if one["kind"] == "NetworkPolicy")["spec"]["egress"]
    assert 5432 in {port["port"] for rule in egress for port in rule["ports"]}


@of_each
def test_the_pod_is_confined(folder: Path) -> None:
    """As the strictest of Kubernetes' Pod Security Standards asks ("restricted"), and with a read-only root."""
    pod = deployment(folder)["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert pod["containers"][0][probe]["exec"]["command"][:2] == ["mail-sender", "healthcheck"]
