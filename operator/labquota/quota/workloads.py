"""Workloads of Kubernetes' own kinds, as far as they are read: how many pods they want at once, and of which shape."""

from collections.abc import Mapping
from typing import Final

import msgspec

from labquota.quota.pods import Metadata, Spec

KINDS: Final[Mapping[str, str]] = {
    "cronjobs": "CronJob",
    "daemonsets": "DaemonSet",
    "deployments": "Deployment",
    "jobs": "Job",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
    "statefulsets": "StatefulSet",
}
"""Kinds by their resources."""

_PERCENT: Final = "25%"


class _Part(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What all parts have in common."""


class Template(_Part, frozen=True):
    """What its pods are made from."""

    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: Spec = msgspec.field(default_factory=Spec)


class Rolling(_Part, frozen=True):
    """How many pods may be too many, and missing, while a Deployment rolls out."""

    max_surge: int | str = _PERCENT
    max_unavailable: int | str = _PERCENT


class Strategy(_Part, frozen=True):
    """How a Deployment replaces its pods."""

    type: str = "RollingUpdate"
    rolling_update: Rolling = Rolling()


class WorkloadSpec(_Part, frozen=True):
    """What it is asked to be; each kind has some of these."""

    template: Template = Template()
    job_template: "JobTemplate | None" = None
    replicas: int = 1
    parallelism: int = 1
    completions: int | None = None
    suspend: bool = False
    paused: bool = False
    strategy: Strategy = Strategy()


class JobTemplate(_Part, frozen=True):
    """What a CronJob's Jobs are made from."""

    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: WorkloadSpec = WorkloadSpec()


class WorkloadStatus(_Part, frozen=True):
    """What has become of it, as its controller has seen it last."""

    replicas: int = 0
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0


class Workload(_Part, frozen=True):
    """One workload."""

    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    @property
    def template(self) -> Template:
        """Of its pods."""
        return self.spec.template if self.spec.job_template is None else self.spec.job_template.spec.template

    @property
    def is_waiting(self) -> bool:
        """Whether it is told to make no pods for now."""
        return self.spec.suspend or self.spec.paused


def wanted(resource: str, workload: Workload) -> int:
    """How many pods it wants at once.

    Args:
        resource: Its kind, one of `KINDS`. How many nodes a new DaemonSet is for, nobody has told yet.
        workload: It.
    """
    spec, status = workload.spec, workload.status
    if resource == "daemonsets":
        return status.desired_number_scheduled
    if resource == "cronjobs" and spec.job_template is not None:
        spec = spec.job_template.spec
    if resource not in ("cronjobs", "jobs"):
        return spec.replicas
    if spec.completions is None:
        return spec.parallelism
    return min(spec.parallelism, max(0, spec.completions - status.succeeded))


def made(resource: str, workload: Workload) -> int:
    """How many of its pods there are."""
    status = workload.status
    if resource == "daemonsets":
        return status.current_number_scheduled
    return status.active if resource == "jobs" else status.replicas
