"""kopf: labquota's own kinds. Pods and nodes are not kopf's: its watch costs a hundred times as much an event.

Nor are GPUAllocations, of which there is one for every pod with GPUs: their informer feeds the same keeper.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import kopf
import msgspec

from labquota.api import GROUP, VERSION
from labquota.controllers.allocations.keeper import Keeper
from labquota.controllers.statuses import Statuses

log = logging.getLogger(__name__)

_GROUPS: Final = (GROUP, VERSION, "resourcelimitgroups")
_OVERRIDES: Final = (GROUP, VERSION, "resourcelimitoverrides")
_NODES: Final = (GROUP, VERSION, "gpunodes")


def registry(statuses: Statuses, allocations: Keeper) -> kopf.OperatorRegistry:
    """The handlers of one operator. They hold no annotations or finalizers on what an admin writes."""
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers)(kopf.login_via_client)

    @kopf.on.event(*_GROUPS, registry=handlers)
    async def group_seen(event: Any, body: kopf.Body, **_: Any) -> None:
        _see(statuses.see_group, event, body)

    @kopf.on.event(*_OVERRIDES, registry=handlers)
    async def override_seen(event: Any, body: kopf.Body, **_: Any) -> None:
        _see(statuses.see_override, event, body)

    @kopf.on.event(*_NODES, registry=handlers)
    async def node_seen(event: Any, body: kopf.Body, **_: Any) -> None:
        _see(allocations.see_node, event, body)

    return handlers


def _see(see: Callable[..., None], event: Any, body: kopf.Body) -> None:
    try:
        see(dict(body), gone=event["type"] == "DELETED")
    except msgspec.ValidationError as error:  # an object that an older schema let in
        log.warning("an object cannot be read", extra={"object": body.metadata.name, "error": str(error)})


async def run(statuses: Statuses, allocations: Keeper, ready: Callable[[], None]) -> None:
    """Run kopf until cancelled: leadership is ours, so it runs alone and asks for no peers.

    Args:
        statuses: What the handlers tell of groups and overrides.
        allocations: What they tell of GPU nodes.
        ready: Called when kopf has started, and has put its own signal handlers in place of ours.
    """
    flag = asyncio.Event()

    async def tell() -> None:
        await flag.wait()
        ready()

    telling = asyncio.create_task(tell())
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    settings.persistence.finalizer = f"{GROUP}/operator"
    known = registry(statuses, allocations)
    try:
        await kopf.operator(
            registry=known, settings=settings, standalone=True, clusterwide=True, ready_flag=flag
        )
    finally:
        telling.cancel()
