"""ResourceLimitGroup: limits shared, as rules, by many owners; each of them has a total of their own."""

from typing import Annotated

import msgspec

from labquota.api import rules
from labquota.api.meta import (
    API_VERSION,
    Amounts,
    Conditions,
    LabelSelector,
    ObjectMeta,
    Report,
    Shape,
    about,
    constant,
)
from labquota.api.words import Enforcement, OnError, OwnerKind, SubjectKind, WhenUnset


class Subject(Shape, frozen=True, kw_only=True):
    """A user, a group of users or a service account, in RBAC's form."""

    kind: Annotated[SubjectKind, about("User, Group or ServiceAccount.")]
    name: Annotated[
        str, about("The name as the API server authenticates it; case matters.", minLength=1, maxLength=512)
    ]
    namespace: Annotated[
        str,
        about("The service account's namespace; only for kind ServiceAccount.", maxLength=63),
    ] = ""


class ResourceLimitGroupSpec(Shape, frozen=True, kw_only=True):
    """Whom the group is for, and what each of them may hold."""

    default_for: Annotated[
        tuple[OwnerKind, ...],
        about(
            "Owner kinds (User, ServiceAccount, Namespace) whose owners belong to this group when no other "
            "group matches them. Only one group may be the default for a kind.",
            maxItems=3,
            x_kubernetes_list_type="set",
        ),
    ] = ()
    priority: Annotated[
        int,
        about(
            "When several groups match an owner, the highest priority wins, then the first by name.",
            format="int32",
            minimum=-1000000,
            maximum=1000000,
        ),
    ] = 0
    subjects: Annotated[
        tuple[
            Annotated[
                Subject,
                about(
                    "A user, a group of users or a service account.",
                    x_kubernetes_validations=rules.SUBJECT,
                ),
            ],
            ...,
        ],
        about(
            "Who belongs to this group, in RBAC's form.",
            maxItems=1000,
            x_kubernetes_list_type="map",  # a set of objects cannot be written by server-side apply
            x_kubernetes_list_map_keys=["kind", "namespace", "name"],
        ),
    ] = ()
    namespace_selector: Annotated[
        LabelSelector | None,
        about(
            "Labels of namespaces whose pods without an owner of their own belong to this group: each such "
            "namespace has a total of its own. {} selects every namespace, absent none."
        ),
    ] = None
    aggregate: Annotated[
        Amounts,
        about(
            "The most that each owner may hold over all of their pods in the whole cluster. Keys: gpu (GPU "
            "units of any kind: a whole GPU, a MIG slice or a shared replica counts 1), gpu-equivalents (fair "
            "share of whole GPUs, also as a fraction: 4/7), gpu-memory, requests.cpu, requests.memory, "
            "requests.ephemeral-storage (also without requests.), limits.cpu, limits.memory, "
            "limits.ephemeral-storage, hugepages-<size>, pods, and any extended resource such as "
            'nvidia.com/mig-3g.20gb. An absent key is not limited, 0 means none, "unlimited" lifts a limit.'
        ),
    ] = msgspec.field(default_factory=dict)
    per_pod: Annotated[
        Amounts,
        about(
            "The most that one pod may hold: the same keys as aggregate, checked after it. Both must pass."
        ),
    ] = msgspec.field(default_factory=dict)
    allow_whole_gpu: Annotated[
        bool, about("Whether pods may ask for whole GPUs; false allows MIG slices only.")
    ] = msgspec.field(name="allowWholeGPU", default=True)
    when_unset: Annotated[
        WhenUnset,
        about(
            "What happens to a pod with a container that leaves a limited cpu or memory key unset: Refuse it "
            "by the container's name, as a ResourceQuota does, or Ignore the key for that container."
        ),
    ] = "Refuse"
    enforcement: Annotated[
        Enforcement,
        about(
            "Enforce refuses what is over a limit, Warn allows it with a warning and keeps the books, Off "
            "does not judge."
        ),
    ] = "Enforce"
    on_error: Annotated[
        OnError,
        about(
            "What labquota answers while it cannot decide because something is broken: Allow lets the pod "
            "pass, charges it later and reports it; Deny refuses it until labquota works again."
        ),
    ] = "Allow"


class ResourceLimitGroupStatus(Report, frozen=True, kw_only=True):
    """What the operator says about a group."""

    conditions: Conditions = ()
    observed_generation: Annotated[
        int, about("The metadata.generation that this status speaks of.", minimum=0)
    ] = 0
    owners: Annotated[int, about("How many owners with pods this group applies to.", minimum=0)] = 0
    over_limit: Annotated[int, about("How many of them hold more than a limit allows.", minimum=0)] = 0


class ResourceLimitGroup(Shape, frozen=True, kw_only=True):
    """Limits that many owners share as rules: each owner has their own total over the whole cluster."""

    api_version: str = constant(API_VERSION)
    kind: str = constant("ResourceLimitGroup")
    metadata: ObjectMeta
    spec: ResourceLimitGroupSpec
    status: ResourceLimitGroupStatus = ResourceLimitGroupStatus()
