"""The accounts that a stub has, their groups, and how Kanidm describes an account to itself.

Two service accounts (`mail-sender`, which is in `idm_message_senders`, and `outsider`, which is not) and the
administrator `idm_admin`. The domain is `localhost`, as on the server that the captures come from.
"""

from __future__ import annotations

from dataclasses import dataclass

DOMAIN = "localhost"
CLASSES = ["account", "memberof", "object", "service_account"]
# What an account may read of itself, as a real server lists it (capture "own entry with extAccessCheck").
OWN_READABLE = [
    "account_expire", "account_valid_from", "application_password", "attested_passkeys", "class",
    "directmemberof", "displayname", "gidnumber", "last_modified_cid", "legalname", "loginshell", "mail",
    "memberof", "name", "passkeys", "pwd_changed_time", "primary_credential", "radius_secret", "spn",
    "ssh_publickey", "sync_parent_uuid", "unix_password", "user_auth_token_session", "uuid",
]  # fmt: skip
# The first three are in the captures; those of idm_admins and idm_message_admins are made up.
GROUPS = {
    "idm_all_accounts": "00000000-0000-0000-0000-000000000036",
    "idm_message_senders": "00000000-0000-0000-0000-000000000055",
    "idm_high_privilege": "00000000-0000-0000-0000-000000001000",
    "idm_admins": "00000000-0000-0000-0000-000000000001",
    "idm_message_admins": "00000000-0000-0000-0000-000000000054",
}
IDM_ADMIN_UUID = "00000000-0000-0000-0000-000000000018"


def spn(name: str) -> str:
    """Return `name@domain`, the form in which Kanidm names entries across domains."""
    return f"{name}@{DOMAIN}"


@dataclass(frozen=True)
class Role:
    """What an account is before it has an id: its names and its groups, direct ones first."""

    name: str
    displayname: str
    direct: tuple[str, ...]
    inherited: tuple[str, ...] = ()


SENDER = Role("mail-sender", "mail-sender", ("idm_all_accounts", "idm_message_senders"), ("idm_high_privilege",))
OUTSIDER = Role("outsider", "outsider", ("idm_all_accounts",))
ADMIN = Role("idm_admin", "IDM Administrator", ("idm_admins",), ("idm_message_admins", "idm_high_privilege"))


@dataclass(frozen=True)
class Account:
    """An account as the API knows it. `cid` is Kanidm's change id: nanoseconds and a server id."""

    role: Role
    uuid: str
    cid: str

    @property
    def groups(self) -> tuple[str, ...]:
        """All groups, inherited ones too."""
        return self.role.direct + self.role.inherited

    def answers_to(self, name: str) -> bool:
        """Tell whether `name` is this account's name, spn or uuid."""
        return name.lower() in {self.role.name, spn(self.role.name), self.uuid}

    def youare(self) -> dict[str, object]:
        """Return the body of GET /v1/self: every value a list of strings."""
        attributes = {
            "class": CLASSES,
            "directmemberof": [spn(group) for group in self.role.direct],
            "displayname": [self.role.displayname],
            "last_modified_cid": [self.cid],
            "memberof": [spn(group) for group in self.groups],
            "name": [self.role.name],
            "spn": [spn(self.role.name)],
            "uuid": [self.uuid],
        }
        return {"youare": {"attrs": attributes}}

    def entry(self) -> dict[str, object]:
        """Return the SCIM entry of GET /scim/v1/Entry/{name}."""
        return {
            "schemas": [],
            "id": self.uuid,
            "class": CLASSES,
            "directmemberof": _references(self.role.direct),
            "displayname": self.role.displayname,
            "last_modified_cid": self.cid,
            "memberof": _references(self.groups),
            "name": self.role.name,
            "spn": spn(self.role.name),
        }


def _references(groups: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"uuid": GROUPS[group], "value": spn(group)} for group in groups]
