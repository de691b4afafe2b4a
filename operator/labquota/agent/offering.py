"""What the node's device plugins offer, as far as it is GPUs. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from labquota.agent.podresources import Offer
from labquota.api import NodeResource
from labquota.quota.deviceids import base, is_uuid
from labquota.quota.gpusettings import GPUSettings


def resources(offers: Iterable[Offer], settings: GPUSettings) -> tuple[NodeResource, ...]:
    """What the node's device plugins offer that is a GPU: by its name, or by ids that nothing else has."""
    ids: dict[str, set[str]] = defaultdict(set)
    for offer in offers:
        ids[offer.resource].add(offer.device)
    return tuple(
        _resource(name, given)
        for name, given in sorted(ids.items())
        if settings.is_gpu_like(name) or all(map(is_uuid, given))
    )


def _resource(name: str, ids: set[str]) -> NodeResource:
    devices = sorted({base(each) for each in ids})
    shared = -(-len(ids) // len(devices))
    return NodeResource(name=name, count=len(ids), replicas=shared, devices=tuple(devices))
