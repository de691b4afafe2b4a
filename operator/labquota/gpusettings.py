"""The GPU settings: one YAML file that webhook, operator, agent and command line read alike.

    resourcePrefixes: [nvidia.com/]
    prices:
      NVIDIA A100-SXM4-40GB:
        1g.10gb: {compute: 8, memory: 14}
      "*": {whole: {compute: 56, memory: 56}}
    resources:
      nvidia.com/a100: {gpuEquivalents: "1", memory: 40Gi}
    sharedReplicas: Divided
    notRequested: Warn
    trustedNamespaces: {names: [gpu-operator], selector: {matchLabels: {team: admins}}}
    runtimeClasses: [nvidia]
    deviceClasses: [gpu.nvidia.com, mig.nvidia.com]

Models are written as nodes and NVML write them; profiles as NVML does.
"""

import re
from typing import Annotated, Final

import msgspec

from labquota import yamlfile
from labquota.api import LabelSelector
from labquota.quota.gpusettings import DEFAULT, GPUSettings, NotRequested, SharedReplicas, normal
from labquota.quota.points import EQUIVALENTS, MEMORY, WHOLE, Price
from labquota.quota.quantities import QuantityError
from labquota.quota.resources import UNLIMITED, UnknownResource, canonical, parse_limit

_PREFIX: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[-A-Za-z0-9_.]*")
_PROFILE: Final = re.compile(r"whole|([0-9]+c\.)?[0-9]+g\.[0-9]+gb([+-][a-z][a-z0-9.]*(,[a-z][a-z0-9.]*)*)?")
_MOST: Final = 100 * WHOLE
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

_Points = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]


class GPUSettingsError(ValueError):
    """Settings that cannot be used: one line that says which, where, and what is expected."""


class _Price(msgspec.Struct, forbid_unknown_fields=True):
    compute: _Points
    memory: _Points


class _Resource(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    gpu_equivalents: str | int | float
    memory: str | int = 0


class _Trusted(msgspec.Struct, forbid_unknown_fields=True):
    names: list[str] = msgspec.field(default_factory=lambda: sorted(DEFAULT.trusted_namespaces))
    selector: LabelSelector | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    resource_prefixes: list[str] = msgspec.field(default_factory=lambda: list(DEFAULT.prefixes))
    prices: dict[str, dict[str, _Price]] = {}
    resources: dict[str, _Resource] = {}
    shared_replicas: SharedReplicas = DEFAULT.shared_replicas
    not_requested: NotRequested = DEFAULT.not_requested
    trusted_namespaces: _Trusted = msgspec.field(default_factory=_Trusted)
    runtime_classes: list[str] = msgspec.field(default_factory=lambda: sorted(DEFAULT.runtime_classes))
    device_classes: list[str] = msgspec.field(default_factory=lambda: sorted(DEFAULT.device_classes))


def load(path: str) -> GPUSettings:
    """Read the settings.

    Args:
        path: The file; empty for the defaults.

    Raises:
        GPUSettingsError: It cannot be read, or something in it is wrong.
    """
    return yamlfile.load(path, DEFAULT, read, GPUSettingsError)


def read(text: str) -> GPUSettings:
    """Read the settings from YAML.

    Raises:
        GPUSettingsError: Something in it is wrong.
    """
    file = yamlfile.parse(text, _File, GPUSettingsError)
    for number, prefix in enumerate(file.resource_prefixes):
        if not _PREFIX.fullmatch(prefix):
            raise GPUSettingsError(
                f'resourcePrefixes[{number}]: "{prefix}" is not DOMAIN/, as in nvidia.com/, nor DOMAIN/BEGINNING'
            )
    for name in file.trusted_namespaces.names:
        if not _NAMESPACE.fullmatch(name):
            raise GPUSettingsError(f'trustedNamespaces.names: "{name}" is no name of a namespace')
    return GPUSettings(
        prefixes=tuple(file.resource_prefixes),
        prices=_prices(file.prices),
        resources={name: _resource(name, each) for name, each in file.resources.items()},
        shared_replicas=file.shared_replicas,
        not_requested=file.not_requested,
        trusted_namespaces=frozenset(file.trusted_namespaces.names),
        trusted_selector=file.trusted_namespaces.selector,
        runtime_classes=frozenset(file.runtime_classes),
        device_classes=frozenset(file.device_classes),
    )


def _prices(written: dict[str, dict[str, _Price]]) -> dict[str, dict[str, Price]]:
    prices: dict[str, dict[str, Price]] = {}
    for model, profiles in written.items():
        if not model.strip():
            raise GPUSettingsError('prices: a model has no name; write it as the nodes do, or "*" for all')
        for profile, each in profiles.items():
            if not _PROFILE.fullmatch(profile):
                raise GPUSettingsError(
                    f'prices.{model}: "{profile}" is neither whole nor a MIG profile, as in 1g.10gb or 1g.10gb+me'
                )
            price = Price(each.compute, each.memory, 0, f"the administrator's price of {profile}")
            prices.setdefault(normal(model), {})[profile] = price
    return prices


def _resource(name: str, written: _Resource) -> Price:
    try:
        if "/" not in canonical(name):
            raise UnknownResource(f'"{name}" is no extended resource, as in nvidia.com/a100')
        points = _amount(EQUIVALENTS, written.gpu_equivalents)
        memory = _amount(MEMORY, written.memory)
    except (UnknownResource, QuantityError) as error:
        raise GPUSettingsError(f"resources.{name}: {error}") from error
    source = "the administrator's price"
    return Price(points, points, memory, source, whole=points >= WHOLE, is_gpu=points > 0)


def _amount(key: str, value: str | float) -> int:
    if value == UNLIMITED or isinstance(value, bool):
        raise QuantityError(f"{value} is no amount of {key}")
    return parse_limit(key, value if isinstance(value, int) else str(value)) or 0
