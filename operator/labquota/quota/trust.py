"""Whom labquota believes what: who makes pods for others, who may say whose they are, and which kinds carry a stamp.

    person       everybody else                       is their own owner, whatever they write
    carrier      Kubernetes' own workload controllers hand on the stamp of the template that they copy
    controller   other controllers, listed operators  name nobody: the controller reference of what they make counts
    source       a hub, a GitOps tool, if listed      may name an owner on what they make
    system       Kubernetes' own components           nobody's students

A carrier is believed since every kind that it copies from is stamped when it is created and guarded afterwards. An
operator is not: its kinds hold templates in places that nobody stamps, so what its pods carry is whatever a user wrote.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from labquota.quota import owners
from labquota.quota.owners import OWNER_ANNOTATION, Owner

Role = Literal["person", "carrier", "controller", "source", "system"]

_KUBE_SYSTEM: Final = "system:serviceaccount:kube-system:"
_COPIERS: Final = (
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "job-controller",
    "replicaset-controller",
    "replication-controller",
    "statefulset-controller",
)
CARRIERS: Final = (
    "system:kube-controller-manager",
    *(f"{_KUBE_SYSTEM}{name}" for name in _COPIERS),
)
"""They run as service accounts of kube-system (`--use-service-account-credentials`), else all as one user."""

BUILT_IN_KINDS: Final = (
    "pods",
    "replicationcontrollers",
    "daemonsets.apps",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "cronjobs.batch",
    "jobs.batch",
)
"""Resources whose objects and pod templates are stamped, as `resource.group`."""
LISTED_KINDS: Final = (
    "cronworkflows.argoproj.io",
    "jaxjobs.kubeflow.org",
    "jobs.batch.volcano.sh",
    "jobsets.jobset.x-k8s.io",
    "leaderworkersets.leaderworkerset.x-k8s.io",
    "mpijobs.kubeflow.org",
    "notebooks.kubeflow.org",
    "paddlejobs.kubeflow.org",
    "pytorchjobs.kubeflow.org",
    "rayclusters.ray.io",
    "rayjobs.ray.io",
    "rayservices.ray.io",
    "scheduledsparkapplications.sparkoperator.k8s.io",
    "sparkapplications.sparkoperator.k8s.io",
    "tfjobs.kubeflow.org",
    "trainjobs.trainer.kubeflow.org",
    "workflows.argoproj.io",
    "xgboostjobs.kubeflow.org",
)
"""Custom resources that are stamped unless an administrator lists others. One that is not installed costs nothing."""


class Naming(msgspec.Struct, frozen=True):
    """How an identity source names an owner, besides by `labquota.dev/owner`: a user's name in another annotation."""

    annotation: str = OWNER_ANNOTATION
    prefix: str = ""
    """Put before the name, as the API server does with names from an identity provider (`oidc:`)."""


class Trust(msgspec.Struct, frozen=True):
    """Whom to believe what; the default believes nobody but Kubernetes' own controllers."""

    controllers: frozenset[str] = frozenset()
    sources: Mapping[str, Naming] = {}
    administrators: frozenset[str] = frozenset()
    """Users who may name the owner of a namespace or a service account. Those that they make are not theirs."""
    administrator_groups: frozenset[str] = frozenset({"system:masters"})
    accounts: Mapping[str, Owner] = {}
    """Owners of service accounts (`namespace/name`), before what their objects say."""
    kinds: tuple[str, ...] = LISTED_KINDS
    """Custom resources that are stamped, as `resource.group`."""
    steps: tuple[str, ...] = ()
    """Kinds that only lie between a pod and such a resource: read on the way up, and whatever they carry is ignored."""

    def role(self, username: str) -> Role:
        """What somebody is believed."""
        if username in CARRIERS:
            return "carrier"
        if username in self.sources:
            return "source"
        if username in self.controllers or owners.is_controller(username):
            return "controller"
        if username.startswith("system:") and owners.service_account(username) is None:
            return "system"
        return "person"

    def hands_on(self, username: str) -> bool:
        """Whether what somebody makes may carry another's stamp."""
        return self.role(username) in ("carrier", "controller", "source")

    def administers(self, username: str, groups: Iterable[str]) -> bool:
        """Whether somebody may name the owner of a namespace or a service account."""
        return username in self.administrators or not self.administrator_groups.isdisjoint(groups)

    def named(self, username: str, annotations: Mapping[str, str]) -> Owner | None:
        """The owner that an identity source or an administrator names on what they make, if they do."""
        if found := owners.named(annotations):
            return found
        naming = self.sources.get(username)
        if naming is None or not (name := annotations.get(naming.annotation)):
            return None
        return owners.named({OWNER_ANNOTATION: f"user:{naming.prefix}{name}"})

    def stamps(self, kind: str) -> bool:
        """Whether objects of a kind (`resource.group`) are stamped, so that what they carry is to be believed."""
        return kind in BUILT_IN_KINDS or kind in self.kinds


DEFAULT: Final = Trust()
