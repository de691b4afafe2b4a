"""What one pod asks for, exactly as the Kubernetes scheduler reckons it.

`PodRequests` and `PodLimits` of k8s.io/component-helpers/resource, with the scheduler's options, are the
rule: containers and sidecars summed, each ordinary init container maximised together with the sidecars
started before it, overhead added, pod-level resources in place of the sum, a resize in place at the most of
what is asked, promised and running. Sums are exact and in nano-units; each is rounded up once per pod.
Where Kubernetes' own numbers wrap around, these saturate.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Final

from labquota.quota import gpus, quantities, sums
from labquota.quota.amounts import Amounts
from labquota.quota.defaulting import NanoList
from labquota.quota.pods import Pod, Resources
from labquota.quota.quantities import NANO, QuantityError
from labquota.quota.resources import step

_LIMITED: Final = ("cpu", "memory", "ephemeral-storage")
_LIMITS: Final = tuple((name, f"limits.{name}", step(f"limits.{name}")) for name in _LIMITED)
_MUST_BE_SET: Final = {
    "requests.cpu": ("cpu", False),
    "requests.memory": ("memory", False),
    "limits.cpu": ("cpu", True),
    "limits.memory": ("memory", True),
}
FINISHED: Final = frozenset({"Succeeded", "Failed"})
"""Phases in which a pod costs nothing any more."""


def asked(pod: Pod) -> Amounts:
    """What the pod's spec asks for, whatever its status says: the measure of admission.

    Args:
        pod: The pod, before or after the API server has filled in its defaults.

    Returns:
        Amounts in base units: `pods`, `gpu`, requests and limits, extended resources by their own names.
        Zero amounts are left out. Whatever is called like a GPU is one unit of `gpu` each; what it costs, and
        whether anybody knows it, is for `costs` to say.

    Raises:
        QuantityError: A quantity is malformed or negative; the message names its container.
    """
    return _demand(pod, held=False)


def held(pod: Pod) -> Amounts:
    """What the pod holds while it is in the cluster: the measure of a view.

    Args:
        pod: The pod as stored.

    Returns:
        As `asked`, but each container and the pod itself at the most of what is asked, allocated and
        actuated (limits: asked and actuated); what is asked is left aside when its resize is infeasible.

    Raises:
        QuantityError: As `asked`.
    """
    return _demand(pod, held=True)


def charged(pod: Pod) -> bool:
    """Whether a pod in this phase costs its owner anything: all but the finished ones do."""
    return pod.status.phase not in FINISHED


def unset(pod: Pod, keys: Iterable[str]) -> dict[str, list[str]]:
    """Which containers leave a resource unset that has a limit, as ResourceQuota would refuse them.

    Args:
        pod: The pod.
        keys: The canonical keys that have a limit; all but requests and limits of cpu and memory are free.

    Returns:
        For each such key the names of the containers, init containers too, in the pod's order. An explicit
        zero is set. A pod that sets any pod-level resource is free, as with ResourceQuota.

    Raises:
        QuantityError: As `asked`.
    """
    if any(sums.pod_level(pod)):
        return {}
    missing: dict[str, list[str]] = {}
    for key in keys:
        name, of_limits = _MUST_BE_SET.get(key, ("", False))
        if not name:
            continue
        for container in (*pod.spec.containers, *pod.spec.init_containers):
            resources = container.resources
            if name not in resources.limits and (of_limits or name not in resources.requests):
                missing.setdefault(key, []).append(container.name)
    return missing


def mentions(pod: Pod, meant: Callable[[str], bool]) -> bool:
    """Whether any container asks for a resource of such a name."""
    return any(
        meant(name)
        for one in (*pod.spec.containers, *pod.spec.init_containers)
        for lists in (one.resources.requests, one.resources.limits)
        for name in lists
    )


def _demand(pod: Pod, *, held: bool) -> Amounts:
    try:
        return _amounts(*sums.of(pod, held=held))
    except QuantityError as error:
        raise QuantityError(f"{_where(pod)}{error}") from None


def _amounts(requests: NanoList, limits: NanoList) -> Amounts:
    amounts: Amounts = {"pods": 1}
    units = 0
    for name, nano in requests.items():
        if nano:
            key, scale, gpu = _requested(name)
            if key:
                amounts[key] = amount = quantities.round_up(nano, scale)
                units += gpu * amount
    for name, key, scale in _LIMITS:
        nano = limits.get(name, 0)
        if nano:
            amounts[key] = quantities.round_up(nano, scale)
    if units:
        amounts["gpu"] = min(units, quantities.MAX)
    return amounts


@functools.lru_cache(maxsize=1024)
def _requested(name: str) -> tuple[str, int, int]:
    """For a requested resource its key ("" for none), nano-units in a base unit, and GPU units of one."""
    if "/" in name:
        return name, NANO, int(gpus.is_gpu_like(name))
    if name in _LIMITED or name.startswith("hugepages-"):
        return f"requests.{name}", step(f"requests.{name}"), 0
    return "", NANO, 0  # the API server refuses such a pod; the name may be one of our own keys


def _where(pod: Pod) -> str:
    """The place of the first quantity that cannot be read, for the head of a message."""
    places: list[tuple[str, Resources | None]] = [
        *((f"container {quantities.quoted(one.name)}: ", one.resources) for one in pod.spec.containers),
        *(
            (f"init container {quantities.quoted(one.name)}: ", one.resources)
            for one in pod.spec.init_containers
        ),
        ("pod-level resources: ", pod.spec.resources),
        ("overhead: ", Resources(requests=pod.spec.overhead)),
    ]
    for place, resources in places:
        for lists in () if resources is None else (resources.requests, resources.limits):
            for name, text in lists.items():
                try:
                    quantities.stored(text)
                except QuantityError:
                    return f"{place}{quantities.quoted(name)[1:-1]}: "
    return "status: "
