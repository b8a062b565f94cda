"""What an engine makes of the examples: podman's options for the service of the compose file, the Quadlet unit, and the pod.

Each reading knows the keys that the example uses, and fails at another (KeyError), so that no key is left out. The
files that stand for the reader's own come from `folder`: `config`, `mail-sender`, `ca.pem`, `token` and `mail_password`.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.container.image import PODMAN, STATE, said

Options = Callable[[Any], Sequence[str]]


def of_compose(service: Mapping[str, Any], folder: Path) -> list[str]:
    """Return the options of a service, as docker compose reads them (the compose specification)."""

    def volume(text: str) -> str:
        source, target, *_ = text.split(":")
        return _state(target) or f"--volume={folder / source}:{target}:ro"

    keys: Mapping[str, Options] = {
        **dict.fromkeys(("image", "build", "restart", "depends_on"), _nothing),
        "user": lambda value: [f"--user={value}"],
        "read_only": _read_only,
        "cap_drop": lambda value: [f"--cap-drop={one}" for one in value],
        "security_opt": lambda value: [f"--security-opt={one}" for one in value],
        "stop_grace_period": lambda value: [f"--stop-timeout={value.removesuffix('s')}"],
        "healthcheck": lambda value: [f"--health-cmd={json.dumps(value['test'][1:])}"],
        "environment": lambda value: [f"--env={name}={text}" for name, text in value.items()],
        "secrets": lambda value: [f"--volume={folder}/{one}:/run/secrets/{one}:ro" for one in value],
        "volumes": lambda value: [volume(one) for one in value],
    }
    return [option for key, value in service.items() for option in keys[key](value)]


def of_quadlet(unit: Mapping[str, list[str]], folder: Path, secrets: Mapping[str, str]) -> list[str]:
    """Return the options of [Container], as podman's generator makes them; `secrets` are podman's names for its own."""

    def volume(text: str) -> str:
        _, target, *_ = text.split(":")
        return _state(target) or f"--volume={folder}:{target}:ro"

    def secret(text: str) -> str:
        name, _, options = text.partition(",")
        return f"--secret={secrets[name]},{options}"

    def health(name: str) -> Options:
        return lambda values: [f"--health-{name}={values[-1]}"]

    keys: Mapping[str, Options] = {
        **dict.fromkeys(("Image", "ContainerName", "Group"), _nothing),
        "HealthOnFailure": _nothing,  # of podman 4.5 and later
        "Notify": lambda values: [f"--sdnotify={ {'true': 'container'}[values[-1]] }"],
        "User": lambda values: [f"--user={values[-1]}:{unit['Group'][-1]}"],
        "ReadOnly": lambda values: [f"--read-only={values[-1]}"],  # with a tmpfs at /run, where secrets are
        "DropCapability": lambda values: [f"--cap-drop={values[-1]}"],
        "NoNewPrivileges": lambda values: [f"--security-opt=no-new-privileges={values[-1]}"],
        "Environment": lambda values: [f"--env={one}" for one in values],
        "Volume": lambda values: [volume(one) for one in values],
        "Secret": lambda values: [secret(one) for one in values],
        "HealthCmd": health("cmd"),
        "HealthInterval": health("interval"),
        "HealthTimeout": health("timeout"),
        "HealthStartPeriod": health("start-period"),
        "HealthRetries": health("retries"),
    }
    return [option for key, values in unit.items() for option in keys[key](values)]


def of_pod(pod: Mapping[str, Any], folder: Path, user: str | None = None) -> list[str]:
    """Return the options of a pod's container, as a kubelet starts it; `user` is what OpenShift puts in its place."""
    (one,) = pod["containers"]
    of_all = pod["securityContext"]
    assert of_all["seccompProfile"] == {"type": "RuntimeDefault"}  # podman's own, unless it is told otherwise
    keys: Mapping[str, Options] = {
        "allowPrivilegeEscalation": lambda value: [] if value else ["--security-opt=no-new-privileges"],
        "readOnlyRootFilesystem": _read_only,
        "capabilities": lambda value: [f"--cap-drop={name}" for name in value["drop"]],
    }
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    made = {
        mount["mountPath"]: _of_kubelet(volumes[mount["name"]], folder, of_all["fsGroup"])
        for mount in one["volumeMounts"]
    }
    return [
        f"--user={user or '{runAsUser}:{runAsGroup}'.format_map(of_all)}",
        f"--group-add={of_all['fsGroup']}",
        *(option for key, value in one["securityContext"].items() for option in keys[key](value)),
        *(f"--env={variable['name']}={variable['value']}" for variable in one["env"]),
        *(
            f"--volume={made[mount['mountPath']]}:{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}"
            for mount in one["volumeMounts"]
        ),
    ]


def _of_kubelet(volume: Mapping[str, Any], folder: Path, group: int) -> Path:
    """Make a volume as a kubelet does: root's, with the pod's group."""
    made = folder / f"volume-{volume['name']}"
    made.mkdir(exist_ok=True)
    os.chown(made, 0, group)
    made.chmod(0o2775)
    names = {"configMap": ("config", "mail-sender", "ca.pem"), "secret": ("token", "mail_password")}
    for kind, files in names.items():
        for name in files if kind in volume else ():
            (made / name).write_bytes((folder / name).read_bytes())
            os.chown(made / name, 0, group)
            (made / name).chmod(volume[kind].get("defaultMode", 0o644))
    assert {*volume} & {*names, "persistentVolumeClaim"}
    return made


def podman_secret(name: str, file: Path) -> str:
    """Make one of podman's secrets from a file, and return its name."""
    said([PODMAN, "secret", "create", name, str(file)])
    return name


def _read_only(value: object) -> list[str]:
    return ["--read-only", "--read-only-tmpfs=false"] if value else []


def _state(target: str) -> str:
    """Return the option of the volume for the state, one of its own as the image declares it; none for another place."""
    return f"--volume={STATE}" if target == STATE else ""


def _nothing(_: object) -> list[str]:
    return []
