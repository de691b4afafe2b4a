"""OwnerUsage: what a person reads about their budget; written by the operator only."""

from typing import Annotated

import msgspec

from labquota.api import rules
from labquota.api.meta import API_VERSION, Conditions, ObjectMeta, Report, Shape, about, constant
from labquota.api.words import Enforcement


class OwnerUsageSpec(Shape, frozen=True, kw_only=True):
    """Whose budget this is."""

    owner: Annotated[
        str,
        about(
            "The exact identity: user:alice, serviceaccount:namespace/name or namespace:name.",
            minLength=1,
            maxLength=262144,  # an owner is stamped as an annotation, which Kubernetes cuts off here
            x_kubernetes_validations=rules.OWNER_STAYS,
        ),
    ]


class UsageLimit(Report, frozen=True, kw_only=True):
    """The most the owner may hold of one resource, and which object says so."""

    limit: Annotated[str, about('The limit as people write it: 3, 96Gi, or "unlimited".')]
    source: Annotated[str, about("The object that sets it, such as ResourceLimitGroup/student.")]


class UsageSummary(Report, frozen=True, kw_only=True):
    """Used of limit, as the columns of `kubectl get ownerusage` show it."""

    gpu: Annotated[str, about("GPU units, such as 2/3.")] = ""
    equivalents: Annotated[str, about("gpu-equivalents, such as 0.571/1.")] = ""
    gpu_memory: Annotated[str, about("gpu-memory, such as 20Gi/80Gi.")] = ""
    cpu: Annotated[str, about("requests.cpu in cores, such as 12/96.")] = ""
    memory: Annotated[str, about("requests.memory, such as 20Gi/96Gi.")] = ""
    pods: Annotated[str, about("Pods, such as 2/3.")] = ""
    over: Annotated[str, about("What is above its limit, such as gpu,pods.")] = ""


class UsagePoints(Report, frozen=True, kw_only=True):
    """What is behind gpu-equivalents: points of compute and of memory, 56 a GPU. The larger of the two is shown."""

    compute: Annotated[int, about("Points of compute that the owner's pods hold.", minimum=0)] = 0
    memory: Annotated[int, about("Points of memory that they hold.", minimum=0)] = 0
    reserved_compute: Annotated[int, about("Points of compute that are reserved.", minimum=0)] = 0
    reserved_memory: Annotated[int, about("Points of memory that are reserved.", minimum=0)] = 0


class UsagePod(Report, frozen=True, kw_only=True):
    """One pod and what it holds."""

    namespace: Annotated[str, about("The pod's namespace.")]
    name: Annotated[str, about("The pod's name.")]
    uses: Annotated[dict[str, str], about("Resource key to what the pod holds of it.")] = msgspec.field(
        default_factory=dict
    )


class OwnerUsageStatus(Report, frozen=True, kw_only=True):
    """The owner's limits and what they hold, as of the operator's latest look."""

    group: Annotated[str, about("The ResourceLimitGroup whose limits apply; empty: none.")] = ""
    enforcement: Annotated[Enforcement, about("What that group does with what is over a limit.")] = "Enforce"
    limits: Annotated[
        dict[str, UsageLimit], about("Resource key to its limit, groups and overrides taken together.")
    ] = msgspec.field(default_factory=dict)
    used: Annotated[dict[str, str], about("Resource key to what the owner's pods hold of it.")] = (
        msgspec.field(default_factory=dict)
    )
    reserved: Annotated[
        dict[str, str], about("Resource key to what is held for pods admitted but not seen yet.")
    ] = msgspec.field(default_factory=dict)
    points: Annotated[UsagePoints, about("The two ledgers behind gpu-equivalents.")] = UsagePoints()
    summary: Annotated[UsageSummary, about("Used of limit, as the columns show it.")] = UsageSummary()
    over_limit: Annotated[
        tuple[str, ...],
        about("Resource keys of which the owner holds more than the limit.", x_kubernetes_list_type="atomic"),
    ] = ()
    pods: Annotated[
        tuple[UsagePod, ...],
        about("The ten pods that hold the most.", maxItems=10, x_kubernetes_list_type="atomic"),
    ] = ()
    conditions: Conditions = ()
    observed_generation: Annotated[
        int, about("The metadata.generation that this status speaks of.", minimum=0)
    ] = 0


class OwnerUsage(Shape, frozen=True, kw_only=True):
    """One owner's budget: what they may hold, what they hold, and which pods hold it."""

    api_version: str = constant(API_VERSION)
    kind: str = constant("OwnerUsage")
    metadata: ObjectMeta
    spec: OwnerUsageSpec
    status: OwnerUsageStatus = OwnerUsageStatus()
