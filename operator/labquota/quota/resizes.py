"""What a pod that is being resized in place holds: the most of what is asked, promised and running.

The rules are `determineEffectiveRequests` and `determineEffectiveLimits` of
k8s.io/component-helpers/resource, with one difference. Kubernetes takes a resize for infeasible as soon as
the condition says so; the condition stays for a moment when the user has already asked for something else,
and counting less than that something would let it past. So it counts here only when it speaks of the pod's
present generation.
"""

from labquota.quota.amounts import largest
from labquota.quota.defaulting import NanoList, read
from labquota.quota.pods import Container, ContainerStatus, Pod, Status


def infeasible(pod: Pod) -> bool:
    """Whether the node has refused, for good, the resize that the spec asks for now."""
    for condition in pod.status.conditions:
        if condition.type == "PodResizePending":
            return (
                condition.reason == "Infeasible" and condition.observed_generation == pod.metadata.generation
            )
    return False


def by_name(status: Status) -> dict[str, ContainerStatus]:
    """The containers of which the kubelet says what they run with, by name; the last of a name counts."""
    both = (*status.container_statuses, *status.init_container_statuses)
    return {one.name: one for one in both}


def settled(container: Container, status: ContainerStatus) -> bool:
    """Whether spec, allocation and actuation are word for word the same: no resize is under way."""
    running = status.resources
    return running is None or (
        running.requests == container.resources.requests
        and running.limits == container.resources.limits
        and status.allocated_resources == container.resources.requests
    )


def requests(spec: NanoList, status: ContainerStatus | Status, *, dropped: bool) -> NanoList:
    """The effective requests.

    Args:
        spec: What is asked.
        status: What the kubelet says of the same container or pod.
        dropped: Whether the resize is infeasible, so that what is asked does not count.

    Returns:
        Per resource the largest.
    """
    if status.resources is None:
        return spec
    return largest({} if dropped else spec, read(status.resources.requests), read(status.allocated_resources))


def limits(spec: NanoList, status: ContainerStatus | Status, *, dropped: bool) -> NanoList:
    """The effective limits, as `requests`; nothing is promised of them."""
    if status.resources is None:
        return spec
    return largest({} if dropped else spec, read(status.resources.limits))
