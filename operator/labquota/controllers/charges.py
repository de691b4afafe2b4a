"""What the operator's view keeps of a pod: a few hundred bytes, since equal amounts are shared and strings interned."""

import functools
import logging
import sys

import msgspec

from labquota.quota import demand, owners, pods
from labquota.quota.amounts import Amounts
from labquota.quota.owners import Owner
from labquota.quota.quantities import QuantityError
from labquota.quota.world import World

log = logging.getLogger(__name__)


class Charge(msgspec.Struct, gc=False):
    """One pod in the view."""

    uid: str
    namespace: str
    name: str
    version: str
    owner: Owner
    amounts: Amounts
    """What it holds while it is charged; shared between pods, never to be changed."""
    charged: bool
    stamped: bool
    node: str = ""
    deadline: float | None = None
    """When its grace period is over (POSIX seconds), for a pod that is being deleted."""


def of(raw: msgspec.Raw | bytes, world: World) -> Charge:
    """Read a stored pod. One whose amounts cannot be reckoned counts as a pod and nothing else.

    Args:
        raw: The pod as the API server sends it.
        world: For the owner of a pod without a stamp.

    Raises:
        msgspec.DecodeError: It is no pod.
    """
    pod = pods.decode(raw)
    meta = pod.metadata
    try:
        amounts = demand.held(pod)
    except QuantityError as error:
        where = f"{meta.namespace}/{meta.name}"
        log.warning("a stored pod cannot be reckoned", extra={"pod": where, "error": str(error)})
        amounts = {"pods": 1}
    return Charge(
        uid=meta.uid,
        namespace=sys.intern(meta.namespace),
        name=meta.name,
        version=meta.resource_version,
        owner=Owner(sys.intern(world.owner_of(meta.annotations, meta.namespace))),
        amounts=_shared(tuple(sorted(amounts.items()))),
        charged=demand.charged(pod),
        stamped=owners.named(meta.annotations) is not None,
        node=sys.intern(pod.spec.node_name),
        deadline=meta.deletion_timestamp.timestamp() if meta.deletion_timestamp else None,
    )


@functools.lru_cache(maxsize=65536)
def _shared(items: tuple[tuple[str, int], ...]) -> Amounts:
    return dict(items)
