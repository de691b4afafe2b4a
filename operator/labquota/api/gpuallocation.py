"""GPUAllocation: which devices a pod holds, once it has a node; or, without a pod, devices kept free for somebody."""

from typing import Annotated

import msgspec

from labquota.api import rules
from labquota.api.meta import API_VERSION, Conditions, Moment, ObjectMeta, Report, Shape, about, constant
from labquota.api.words import AllocationPhase, AllocationSource

_UID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class AllocationPod(Shape, frozen=True, kw_only=True):
    """The pod that holds the devices."""

    name: Annotated[str, about("The pod's name, in the allocation's namespace.", minLength=1, maxLength=253)]
    uid: Annotated[str, about("The pod's UID: a pod of the same name is another one.", pattern=_UID)]


class AllocationDevice(Shape, frozen=True, kw_only=True):
    """One device, by where it is: its UUID changes when it is made again, its ids are used again."""

    node: Annotated[str, about("The node's name.", minLength=1, maxLength=253)]
    gpu: Annotated[str, about("The UUID of the GPU that it is or lies on.", minLength=1, maxLength=128)]
    gpu_instance: Annotated[int, about("The GPU instance; absent: the whole GPU.", minimum=-1)] = -1
    compute_instance: Annotated[int, about("The compute instance; absent: the whole GPU.", minimum=-1)] = -1


class GPUAllocationSpec(Shape, frozen=True, kw_only=True):
    """What is held, and who pays: the operator writes it for each pod, people write it for a hold."""

    owner: Annotated[
        str,
        about(
            "Who pays: user:alice, serviceaccount:namespace/name or namespace:name. Of a hold: whoever creates "
            "it, unless they may impersonate the owner.",
            minLength=1,
            maxLength=1024,
        ),
    ]
    pod: Annotated[
        AllocationPod | None, about("The pod that holds the devices; absent: a hold without a pod.")
    ] = None
    resources: Annotated[
        dict[str, Annotated[int, about("Devices.", minimum=1, maximum=1_000_000)]],
        about("Resource name to how many the pod asks for.", maxProperties=64),
    ] = msgspec.field(default_factory=dict)
    devices: Annotated[
        tuple[AllocationDevice, ...],
        about("The devices of a hold.", maxItems=256, x_kubernetes_list_type="atomic"),
    ] = ()
    expires_at: Annotated[
        Moment | None, about("When a hold ends, such as 2026-03-31T18:00:00Z; absent: when it is deleted.")
    ] = None
    reason: Annotated[str, about("Why, for whoever reads it later.", maxLength=1024)] = ""


class BoundDevice(Report, frozen=True, kw_only=True):
    """A device that is held."""

    node: Annotated[str, about("The node's name.")]
    gpu: Annotated[str, about("The UUID of the GPU that it is or lies on; empty: not in the inventory.")] = ""
    gpu_instance: Annotated[int, about("The GPU instance; -1: the whole GPU.", minimum=-1)] = -1
    compute_instance: Annotated[int, about("The compute instance; -1: the whole GPU.", minimum=-1)] = -1
    uuid: Annotated[str, about("The MIG device's UUID, or the GPU's.")] = ""
    id: Annotated[str, about("The device's id, as the device plugin writes it.")] = ""
    resource: Annotated[str, about("The resource name under which it was asked for.")] = ""
    container: Annotated[str, about("The container that has it.")] = ""
    model: Annotated[str, about("The GPU's model.")] = ""
    profile: Annotated[str, about("The MIG profile; empty: the whole GPU.")] = ""


class GPUAllocationSummary(Report, frozen=True, kw_only=True):
    """What the columns of `kubectl get gpuallocations` show."""

    node: Annotated[str, about("The node.")] = ""
    devices: Annotated[str, about("The devices, such as 0:3g.20gb/1.")] = ""
    equivalents: Annotated[str, about("What it costs in gpu-equivalents, such as 0.571.")] = ""
    problems: Annotated[str, about("Conditions that hold, such as Missing,Conflict.")] = ""


class GPUAllocationStatus(Report, frozen=True, kw_only=True):
    """Which devices it is, and whether books and hardware agree."""

    phase: Annotated[
        AllocationPhase,
        about("Pending until its devices are known, Bound while it holds them, then Released or Expired."),
    ] = "Pending"
    source: Annotated[
        AllocationSource,
        about("Who said which devices: the pod's status (Kubernetes 1.36), the agent, or the hold itself."),
    ] = ""
    devices: Annotated[
        tuple[BoundDevice, ...], about("The devices that it holds.", x_kubernetes_list_type="atomic")
    ] = ()
    summary: Annotated[GPUAllocationSummary, about("What the columns show.")] = GPUAllocationSummary()
    bound_time: Annotated[Moment | None, about("When its devices became known.")] = None
    conditions: Conditions = ()
    observed_generation: Annotated[
        int, about("The metadata.generation that this status speaks of.", minimum=0)
    ] = 0


class GPUAllocation(Shape, frozen=True, kw_only=True):
    """Which GPUs and MIG devices a pod holds, or which are kept for somebody."""

    api_version: str = constant(API_VERSION)
    kind: str = constant("GPUAllocation")
    metadata: ObjectMeta
    spec: Annotated[
        GPUAllocationSpec,
        about("What is held, and who pays.", x_kubernetes_validations=rules.ALLOCATION),
    ]
    status: GPUAllocationStatus = GPUAllocationStatus()
