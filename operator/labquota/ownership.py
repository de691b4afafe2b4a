"""The owners' settings: one YAML file that says whom labquota believes what, for policies, webhook and operator alike.

administrators:
users: [ops@example.com]
groups: [system:masters]
controllers: ["system:serviceaccount:ray-system:kuberay-operator"]
identitySources:
- principal: system:serviceaccount:hub:hub
annotation: hub.jupyter.org/username
presets:
jupyterhub: {namespace: jhub}
kinds: [rayclusters.ray.io]
serviceAccounts: {ci/runner: "user:alice"}
"""

import re
from typing import Final

import msgspec

from labquota import yamlfile
from labquota.quota import owners, presets
from labquota.quota.owners import OWNER_ANNOTATION, Owner, OwnerError
from labquota.quota.trust import DEFAULT, LISTED_KINDS, Naming, Trust

_KIND: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+")
_ACCOUNT: Final = re.compile(r"system:serviceaccount:[^:/]+:[^:/]+")


class OwnershipError(ValueError):
    """Settings that cannot be used: one line that says which, where, and what is expected."""


class _Administrators(msgspec.Struct, forbid_unknown_fields=True):
    users: list[str] = []
    groups: list[str] = msgspec.field(default_factory=lambda: sorted(DEFAULT.administrator_groups))


class _Source(msgspec.Struct, forbid_unknown_fields=True):
    principal: str
    annotation: str = OWNER_ANNOTATION
    prefix: str = ""


class _Preset(msgspec.Struct, forbid_unknown_fields=True):
    namespace: str = ""
    prefix: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    administrators: _Administrators = msgspec.field(default_factory=_Administrators)
    controllers: list[str] = []
    identity_sources: list[_Source] = []
    presets: dict[str, _Preset] = {}
    kinds: list[str] = msgspec.field(default_factory=lambda: list(LISTED_KINDS))
    service_accounts: dict[str, str] = {}


def load(path: str) -> Trust:
    """Read the settings.

    Args:
        path: The file; empty for the defaults, which believe nobody but Kubernetes' own controllers.

    Raises:
        OwnershipError: It cannot be read, or something in it is wrong.
    """
    return yamlfile.load(path, DEFAULT, read, OwnershipError)


def read(text: str) -> Trust:
    """Read the settings from YAML.

    Raises:
        OwnershipError: Something in it is wrong.
    """
    file = yamlfile.parse(text, _File, OwnershipError)
    _check(file)
    controllers, kinds, steps = set(file.controllers), set(file.kinds), set[str]()
    sources: dict[str, Naming] = {}
    for name, chosen in file.presets.items():
        make, place = presets.PRESETS[name]
        preset = make(chosen.namespace or place, chosen.prefix)
        controllers.update(preset.controllers)
        sources.update(preset.sources)
        kinds.update(preset.kinds)
        steps.update(preset.steps)
    for each in file.identity_sources:
        sources[each.principal] = Naming(each.annotation, each.prefix)
    if both := sorted(controllers & sources.keys()):
        raise OwnershipError(f"{both[0]} is among controllers and identitySources: it cannot be both")
    return Trust(
        controllers=frozenset(controllers),
        sources=sources,
        administrators=frozenset(file.administrators.users),
        administrator_groups=frozenset(file.administrators.groups),
        accounts={name: Owner(owner) for name, owner in file.service_accounts.items()},
        kinds=tuple(sorted(kinds)),
        steps=tuple(sorted(steps - kinds)),
    )


def _check(file: _File) -> None:
    for name in file.presets:
        if name not in presets.PRESETS:
            raise OwnershipError(
                f"presets: no preset is called {name}; there are {', '.join(presets.PRESETS)}"
            )
    for number, kind in enumerate(file.kinds):
        if not _KIND.fullmatch(kind):
            raise OwnershipError(f'kinds[{number}]: "{kind}" is not RESOURCE.GROUP, as in rayclusters.ray.io')
    for number, user in enumerate(file.controllers):
        _principal(f"controllers[{number}]", user)
    for number, source in enumerate(file.identity_sources):
        _principal(f"identitySources[{number}].principal", source.principal)
        if not source.annotation:
            raise OwnershipError(
                f"identitySources[{number}].annotation is empty; leave it out for {OWNER_ANNOTATION}"
            )
    _accounts(file.service_accounts)


def _accounts(accounts: dict[str, str]) -> None:
    for name, owner in accounts.items():
        if name.count("/") != 1:
            raise OwnershipError(f'serviceAccounts: "{name}" is not NAMESPACE/NAME')
        try:
            owners.parse(owner)
        except OwnerError as error:
            raise OwnershipError(f"serviceAccounts.{name}: {error}") from error


def _principal(where: str, user: str) -> None:
    if not user or (user.startswith("system:serviceaccount:") and not _ACCOUNT.fullmatch(user)):
        raise OwnershipError(
            f'{where}: "{user}" is no user; a service account is system:serviceaccount:NAMESPACE:NAME'
        )
    if user in ("system:anonymous", "system:unauthenticated", "system:authenticated"):
        raise OwnershipError(f"{where}: {user} is anybody")
