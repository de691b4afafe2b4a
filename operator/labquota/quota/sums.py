"""The sums over one pod's containers, in nano-units, before anything is rounded.

`AggregateContainerRequests` and its counterpart for limits are the rule, pod-level resources and overhead
come on top; see `demand`. Every function gives requests and limits side by side, by resource name.
"""

from collections.abc import Callable

from labquota.quota import defaulting, quantities, resizes
from labquota.quota.defaulting import NanoList
from labquota.quota.pods import Container, Pod

Pair = tuple[NanoList, NanoList]
"""Requests and limits."""


def of(pod: Pod, *, held: bool) -> Pair:
    """Requests and limits of a pod.

    Args:
        pod: The pod.
        held: Whether its status counts too: what is allocated and what runs, besides what is asked.

    Returns:
        Nano-units by resource name, zeros included.

    Raises:
        QuantityError: A quantity is malformed or negative.
    """
    simple = plain(pod, held=held)
    return full(pod, held=held) if simple is None else simple


def plain(pod: Pod, *, held: bool) -> Pair | None:
    """The short way for the pods that most pods are: app containers only, no resize under way."""
    spec = pod.spec
    if spec.init_containers or spec.overhead or spec.resources is not None:
        return None
    if held and pod.status.container_statuses:
        statuses = resizes.by_name(pod.status)
        for container in spec.containers:
            status = statuses.get(container.name)
            if status is not None and not resizes.settled(container, status):
                return None
    requests: NanoList = {}
    limits: NanoList = {}
    for container in spec.containers:
        own = container.resources.requests
        for name, text in own.items():
            requests[name] = requests.get(name, 0) + quantities.stored(text)
        for name, text in container.resources.limits.items():
            nano = quantities.stored(text)
            limits[name] = limits.get(name, 0) + nano
            if name not in own:
                requests[name] = requests.get(name, 0) + nano
    return requests, limits


def full(pod: Pod, *, held: bool) -> Pair:
    """The whole rule, for any pod."""
    dropped = held and resizes.infeasible(pod)
    statuses = resizes.by_name(pod.status) if held else {}

    def effective(container: Container) -> Pair:
        requests, limits = defaulting.stored(container.resources)
        status = statuses.get(container.name)
        if status is None:
            return requests, limits
        return (
            resizes.requests(requests, status, dropped=dropped),
            resizes.limits(limits, status, dropped=dropped),
        )

    requests, limits = _containers(pod, effective, lambda one: defaulting.stored(one.resources))
    if pod.spec.resources is not None:
        asked, capped = pod_level(pod)
        # The names are those of the spec, even where the status speaks of more or of fewer.
        of_requests = resizes.requests(asked, pod.status, dropped=dropped) if held else asked
        # Where nothing is said to run under a limit, what is asked counts even if it was refused, as in `PodLimits`.
        running = pod.status.resources.limits if pod.status.resources is not None else {}
        of_limits = resizes.limits(capped, pod.status, dropped=dropped and bool(running)) if held else capped
        requests.update({name: of_requests.get(name, 0) for name in asked})
        limits.update({name: of_limits.get(name, 0) for name in capped})
    for name, nano in defaulting.read(pod.spec.overhead).items():
        requests[name] = requests.get(name, 0) + nano
        if limits.get(name):
            limits[name] += nano
    return requests, limits


def pod_level(pod: Pod) -> Pair:
    """Pod-level requests and limits as asked, with the API server's defaults; both empty for most pods."""
    if pod.spec.resources is None:
        return {}, {}

    def written(container: Container) -> Pair:
        return defaulting.written(container.resources)

    return defaulting.pod_level(pod.spec.resources, *_containers(pod, written, written))


def _containers(pod: Pod, lasting: Callable[[Container], Pair], passing: Callable[[Container], Pair]) -> Pair:
    """Requests and limits over all containers, without overhead and pod-level resources.

    Args:
        pod: The pod.
        lasting: Requests and limits of an app container or a sidecar; these can be resized in place.
        passing: Those of an ordinary init container, which cannot.

    Returns:
        The larger of all lasting ones together and any moment of the start.
    """
    total: Pair = ({}, {})
    sidecars: Pair = ({}, {})
    peak: Pair = ({}, {})
    for container in pod.spec.containers:
        _add(total, lasting(container))
    for container in pod.spec.init_containers:
        if container.restart_policy == "Always":
            own = lasting(container)
            _add(total, own)
            _add(sidecars, own)
        else:
            _raise(peak, passing(container), sidecars)
    _raise(total, peak, ({}, {}))
    return total


def _add(total: Pair, more: Pair) -> None:
    for into, lists in zip(total, more, strict=True):
        for name, nano in lists.items():
            into[name] = into.get(name, 0) + nano


def _raise(total: Pair, other: Pair, beside: Pair) -> None:
    """Raise to what another asks for together with those beside it.

    Only what it asks for itself is looked at: of the rest, all sidecars are in the sum of the lasting ones anyway. A
    pod may have thousands of init containers, and each looking at all before it would take minutes.
    """
    for into, lists, running in zip(total, other, beside, strict=True):
        for name, nano in lists.items():
            into[name] = max(into.get(name, 0), nano + running.get(name, 0))
