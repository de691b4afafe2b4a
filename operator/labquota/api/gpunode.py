"""GPUNode: the GPUs and MIG devices of one node, and who holds them; written by that node's agent alone."""

from typing import Annotated

from labquota.api.meta import API_VERSION, Conditions, Moment, ObjectMeta, Report, Shape, about, constant
from labquota.api.words import GPUHealth, MigMode


class MigDevice(Report, frozen=True, kw_only=True):
    """One MIG device: a compute instance of a GPU instance."""

    uuid: Annotated[str, about("NVML's UUID; another one after the device is made again.")]
    gpu_instance: Annotated[int, about("The GPU instance's id on its GPU; ids are used again.", minimum=0)]
    compute_instance: Annotated[
        int, about("The compute instance's id in its GPU instance; ids are used again.", minimum=0)
    ]
    profile: Annotated[str, about("The MIG profile as NVML names it, such as 3g.20gb or 1g.24gb+me.")]
    memory: Annotated[int, about("Usable memory in MiB.", minimum=0)] = 0
    gpu_slices: Annotated[int, about("Compute slices of the GPU instance.", minimum=0)] = 0
    compute_slices: Annotated[int, about("Compute slices of the compute instance.", minimum=0)] = 0
    index: Annotated[
        int, about("NVML's index among the MIG devices of its GPU, with gaps; -1: not known.", minimum=-1)
    ] = -1
    start: Annotated[int, about("The first memory slot that it lies on; -1: not known.", minimum=-1)] = -1
    size: Annotated[int, about("The memory slots that it lies on.", minimum=0)] = 0


class GPU(Report, frozen=True, kw_only=True):
    """One GPU of the node."""

    index: Annotated[int, about("NVML's index.", minimum=0)]
    uuid: Annotated[str, about("NVML's UUID; empty where not even that can be read.")]
    minor: Annotated[int, about("The number in /dev/nvidia<N>; -1: not known.", minimum=-1)] = -1
    pci_address: Annotated[str, about("Such as 00000000:3B:00.0.")] = ""
    device_id: Annotated[str, about("PCI device id in hexadecimal, such as 20B0.")] = ""
    model: Annotated[str, about("The product's name, such as NVIDIA A100-SXM4-40GB.")] = ""
    memory: Annotated[int, about("Memory in MiB.", minimum=0)] = 0
    mig_mode: Annotated[MigMode, about("Whether it is cut into MIG devices now.")] = "Unsupported"
    pending_mig_mode: Annotated[
        MigMode, about("The mode after the next reset; another one than migMode: a reset is due.")
    ] = "Unsupported"
    health: Annotated[GPUHealth, about("Healthy, Unhealthy, Lost (off the bus) or Unreadable.")] = "Healthy"
    message: Annotated[str, about("What NVML says of a GPU that is not healthy.")] = ""
    mig_devices: Annotated[
        tuple[MigDevice, ...], about("Its MIG devices.", x_kubernetes_list_type="atomic")
    ] = ()


class NodeResource(Report, frozen=True, kw_only=True):
    """One resource name that the node's device plugin offers, as the kubelet knows it."""

    name: Annotated[str, about("The resource's name, such as nvidia.com/mig-1g.5gb.")]
    count: Annotated[int, about("Devices or replicas that it offers.", minimum=0)] = 0
    replicas: Annotated[int, about("Replicas that share one device; 1: not shared.", minimum=1)] = 1
    devices: Annotated[
        tuple[str, ...],
        about(
            "Ids of the devices behind it, as the plugin writes them, once each: without a replica's number.",
            x_kubernetes_list_type="atomic",
        ),
    ] = ()


class DeviceHolder(Report, frozen=True, kw_only=True):
    """A container that the kubelet has given a device."""

    resource: Annotated[str, about("The resource name under which it was asked for.")]
    device: Annotated[str, about("The device's id, as the plugin writes it.")]
    gpu: Annotated[str, about("The UUID of the GPU it lies on; empty: not in the inventory.")] = ""
    gpu_instance: Annotated[int, about("Its GPU instance; -1: the whole GPU.", minimum=-1)] = -1
    compute_instance: Annotated[int, about("Its compute instance; -1: the whole GPU.", minimum=-1)] = -1
    namespace: Annotated[str, about("The pod's namespace.")] = ""
    pod: Annotated[str, about("The pod's name.")] = ""
    container: Annotated[str, about("The container's name.")] = ""
    pod_uid: Annotated[str, about("The UID of the pod of that name on this node; empty: there is none.")] = ""


class DeviceProcess(Report, frozen=True, kw_only=True):
    """A process on a GPU that nobody was given."""

    gpu: Annotated[str, about("The GPU's UUID.")]
    gpu_instance: Annotated[int, about("Its GPU instance; -1: the whole GPU.", minimum=-1)] = -1
    compute_instance: Annotated[int, about("Its compute instance; -1: the whole GPU.", minimum=-1)] = -1
    pid: Annotated[int, about("Process id in the node's own numbering.", minimum=0)] = 0
    command: Annotated[str, about("The program's name.")] = ""
    memory: Annotated[int, about("GPU memory in MiB; -1: not known.", minimum=-1)] = -1
    cgroup: Annotated[str, about("The process's cgroup, which says in what it runs.")] = ""
    namespace: Annotated[str, about("The namespace of the pod it runs in; empty: in none.")] = ""
    pod: Annotated[str, about("The pod it runs in; empty: in none.")] = ""
    pod_uid: Annotated[str, about("That pod's UID.")] = ""
    owner: Annotated[str, about("Who pays for that pod, by its stamp.")] = ""


class GPUNodeSummary(Report, frozen=True, kw_only=True):
    """What the columns of `kubectl get gpunodes` show."""

    models: Annotated[str, about("The models, such as 8 x NVIDIA A100-SXM4-40GB.")] = ""
    devices: Annotated[str, about("What they are cut into, such as 4 whole, 14 x 1g.5gb.")] = ""
    held: Annotated[str, about("Held of all, such as 12/18.")] = ""
    problems: Annotated[str, about("What is wrong, such as 1 lost, 2 unaccounted.")] = ""


class GPUNodeStatus(Report, frozen=True, kw_only=True):
    """What the agent found at its latest scan."""

    driver_version: Annotated[str, about("The NVIDIA driver's version.")] = ""
    nvml_version: Annotated[str, about("The NVML library's version.")] = ""
    gpus: Annotated[
        tuple[GPU, ...], about("The node's GPUs, by index.", x_kubernetes_list_type="atomic")
    ] = ()
    resources: Annotated[
        tuple[NodeResource, ...],
        about("What the node's device plugin offers.", x_kubernetes_list_type="atomic"),
    ] = ()
    holders: Annotated[
        tuple[DeviceHolder, ...], about("Who was given what.", x_kubernetes_list_type="atomic")
    ] = ()
    unaccounted: Annotated[
        tuple[DeviceProcess, ...],
        about("Processes on GPUs that were not given to what they run in.", x_kubernetes_list_type="atomic"),
    ] = ()
    summary: Annotated[GPUNodeSummary, about("What the columns show.")] = GPUNodeSummary()
    last_scan_time: Annotated[
        Moment | None, about("When the agent looked last; renewed each minute where nothing changes.")
    ] = None
    conditions: Conditions = ()


class GPUNode(Shape, frozen=True, kw_only=True):
    """The GPUs of one node, of the same name: what exists, and who holds it."""

    api_version: str = constant(API_VERSION)
    kind: str = constant("GPUNode")
    metadata: ObjectMeta
    status: GPUNodeStatus = GPUNodeStatus()
