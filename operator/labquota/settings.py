"""Every setting of webhook, operator and agent, in one record.

Each has an environment variable (`LABQUOTA_` and the name in capitals) and a flag (`--name-with-dashes`), which wins.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PREFIX: Final = "LABQUOTA_"
_SHORTEST_LEASE: Final = 3.0
_SHORTEST_LOOK: Final = 1.0
_HIGHEST_PORT: Final = 65_535


class SettingError(ValueError):
    """A setting that cannot be used; the message names it and says what is expected."""


def _setting(default: Any, about: str) -> Any:
    return dataclasses.field(default=default, metadata={"about": about})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an administrator may set. Times are in seconds."""

    namespace: str = _setting("labquota-system", "Namespace of labquota's own Lease and service accounts.")
    identity: str = _setting("", "Name of this process in logs and in the Lease; empty: its host name.")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.")
    log_format: str = _setting("json", "json for machines, text for people.")
    host: str = _setting("0.0.0.0", "Address that the webhook listens on.")  # noqa: S104  a pod's own address
    port: int = _setting(8443, "Port of the webhook.")
    tls_cert: str = _setting("/tls/tls.crt", "File with the webhook's certificate chain (PEM).")
    tls_key: str = _setting("/tls/tls.key", "File with its private key (PEM).")
    reuse_port: bool = _setting(False, "Share the port with other replicas on one host (SO_REUSEPORT).")
    metrics_host: str = _setting("0.0.0.0", "Address of /metrics, /healthz and /readyz.")  # noqa: S104  as host
    metrics_port: int = _setting(8080, "Port of /metrics, /healthz and /readyz; 0: none.")
    owners: str = _setting(
        "", "File with the owners' settings: whom to believe whose a pod is (docs/owners.md); empty: nobody."
    )
    gpus: str = _setting(
        "",
        "File with the GPU settings: prices, renamed resources, shared replicas (docs/gpus.md); empty: defaults.",
    )
    create_seconds: float = _setting(
        44.0,
        "The longest a create or resize that the webhook allowed can take until it is stored: 34 s in the API "
        "server whatever its flags say, and 10 s for etcd. A reservation whose pod is not seen is dropped after it.",
    )
    advances: bool = _setting(
        True,
        "Take budget in advance for owners with plenty left who create several pods within seconds, so that most of "
        "their pods need no write before their answer.",
    )
    lease_seconds: float = _setting(
        10.0,
        "Time without renewal after which another operator takes over; at least 3. With the takeover itself it must "
        "stay below 15 s: without a heartbeat for that long, refusals count as an outage.",
    )
    lost_node_seconds: float = _setting(
        0.0,
        "A pod that is being deleted is free when its grace period has passed by this much on a node that is "
        "unreachable; 0: it is charged until it is gone.",
    )
    audit_seconds: float = _setting(
        3600.0,
        "Time in which the active operator compares every pod with a quorum list, and every owner's sums and ledger "
        "with the pods; longer where that would be more than 500 pods a second. 0: never.",
    )
    writes_per_second: float = _setting(
        100.0, "The most writes of the operator: folds that free something first, OwnerUsage last."
    )
    node_name: str = _setting("", "Name of the Node that the agent runs on: spec.nodeName of its pod.")
    pod_resources: str = _setting(
        "/var/lib/kubelet/pod-resources/kubelet.sock", "The kubelet's PodResources socket, for the agent."
    )
    proc: str = _setting(
        "/proc",
        "Where the agent sees the host's processes: in the host's PID namespace, or a mount of its /proc.",
    )
    service_account: str = _setting(
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "Folder with the agent's token and ca.crt; used where there is no kubeconfig.",
    )
    scan_seconds: float = _setting(
        30.0, "Time from one look of the agent at NVML to the next; sooner when devices come or go."
    )
    poll_seconds: float = _setting(
        5.0,
        "Time after which the agent asks the kubelet again who holds what; sooner when a pod starts or ends.",
    )


def load(environ: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """The settings of this process.

    Args:
        environ: Environment variables; the process's own by default.
        flags: What the command line sets; None means not set.

    Raises:
        SettingError: A value has the wrong type or is out of range.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        name = PREFIX + field.name.upper()
        if flags.get(field.name) is not None:
            values[field.name] = flags[field.name]
        elif name in environ:
            values[field.name] = _read(name, environ[name], type(field.default))
    settings = Settings(**values)
    _check(settings)
    return settings


def _read(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() in {"true", "1", "yes"}:
            return True
        if text.lower() in {"false", "0", "no", ""}:
            return False
        raise SettingError(f'{name}="{text}" is not true or false')
    try:
        return kind(text)
    except ValueError:
        expected = "a whole number" if kind is int else "a number"
        raise SettingError(f'{name}="{text}" is not {expected}') from None


def _check(settings: Settings) -> None:
    for field in dataclasses.fields(Settings):
        value = getattr(settings, field.name)
        if isinstance(value, int | float) and not 0 <= value < 1e9:
            raise SettingError(f"{PREFIX}{field.name.upper()}={value} is out of range")
        if field.name.endswith("port") and not isinstance(value, bool) and value > _HIGHEST_PORT:
            raise SettingError(
                f"{PREFIX}{field.name.upper()}={value} is no port; the highest is {_HIGHEST_PORT}"
            )
    if settings.log_format not in {"json", "text"}:
        raise SettingError(f'{PREFIX}LOG_FORMAT="{settings.log_format}" is not json or text')
    if settings.log_level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise SettingError(f'{PREFIX}LOG_LEVEL="{settings.log_level}" is not DEBUG, INFO, WARNING or ERROR')
    if settings.lease_seconds < _SHORTEST_LEASE:
        raise SettingError(f"{PREFIX}LEASE_SECONDS={settings.lease_seconds:g} is below {_SHORTEST_LEASE:g}")
    for name in ("scan_seconds", "poll_seconds"):
        if getattr(settings, name) < _SHORTEST_LOOK:
            raise SettingError(
                f"{PREFIX}{name.upper()}={getattr(settings, name):g} is below {_SHORTEST_LOOK:g}"
            )
    if not settings.writes_per_second:
        raise SettingError(f"{PREFIX}WRITES_PER_SECOND must be above 0")
