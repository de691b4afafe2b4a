"""The sums over one pod's containers, in nano-units, before anything is rounded.

`AggregateContainerRequests` and its counterpart for limits are the rule, pod-level resources and overhead
come on top; see `demand`. Every function gives requests and limits side by side, by resource name.
"""

from labquota.quota import defaulting, quantities, resizes
from labquota.quota.defaulting import NanoList
from labquota.quota.pods import Container, Pod


def of(pod: Pod, *, held: bool) -> tuple[NanoList, NanoList]:
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


def plain(pod: Pod, *, held: bool) -> tuple[NanoList, NanoList] | None:
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
            requests[name] = requests.get(name, 0) + quantities.unsigned(text or 0)
        for name, text in container.resources.limits.items():
            nano = quantities.unsigned(text or 0)
            limits[name] = limits.get(name, 0) + nano
            if name not in own:
                requests[name] = requests.get(name, 0) + nano
    return requests, limits


def full(pod: Pod, *, held: bool) -> tuple[NanoList, NanoList]:
    """The whole rule, for any pod."""
    requests, limits = _containers(pod, held=held)
    level = pod.spec.resources
    if level is not None:
        sums = _containers(pod, held=False) if held else (requests, limits)
        level_requests, level_limits = defaulting.pod_level(level, *sums)
        effective = level_requests, level_limits
        if held:
            dropped = resizes.infeasible(pod)
            effective = (
                resizes.requests(level_requests, pod.status, dropped=dropped),
                resizes.limits(level_limits, pod.status, dropped=dropped),
            )
        # The names are those of the spec, even where the status speaks of more or of fewer.
        requests.update({name: effective[0].get(name, 0) for name in level_requests})
        limits.update({name: effective[1].get(name, 0) for name in level_limits})
    for name, nano in defaulting.read(pod.spec.overhead).items():
        requests[name] = requests.get(name, 0) + nano
        if limits.get(name):
            limits[name] += nano
    return requests, limits


def _containers(pod: Pod, *, held: bool) -> tuple[NanoList, NanoList]:
    """Requests and limits over all containers, without overhead and pod-level resources."""
    statuses = resizes.by_name(pod.status) if held else {}
    dropped = held and resizes.infeasible(pod)

    def effective(container: Container) -> tuple[NanoList, NanoList]:
        requests, limits = defaulting.container(container.resources)
        status = statuses.get(container.name)
        if status is None:
            return requests, limits
        return (
            resizes.requests(requests, status, dropped=dropped),
            resizes.limits(limits, status, dropped=dropped),
        )

    total: tuple[NanoList, NanoList] = ({}, {})
    sidecars: tuple[NanoList, NanoList] = ({}, {})
    peak: tuple[NanoList, NanoList] = ({}, {})
    for container in pod.spec.containers:
        _add(total, effective(container))
    for container in pod.spec.init_containers:
        if container.restart_policy == "Always":
            own = effective(container)
            _add(total, own)
            _add(sidecars, own)
            _raise(peak, sidecars)
        else:
            # An ordinary init container cannot be resized: its status does not count.
            alone = defaulting.container(container.resources)
            _add(alone, sidecars)
            _raise(peak, alone)
    _raise(total, peak)
    return total


def _add(total: tuple[NanoList, NanoList], more: tuple[NanoList, NanoList]) -> None:
    for into, lists in zip(total, more, strict=True):
        for name, nano in lists.items():
            into[name] = into.get(name, 0) + nano


def _raise(total: tuple[NanoList, NanoList], other: tuple[NanoList, NanoList]) -> None:
    for into, lists in zip(total, other, strict=True):
        for name, nano in lists.items():
            into[name] = max(into.get(name, 0), nano)
