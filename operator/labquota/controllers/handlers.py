"""kopf: labquota's own kinds. Pods and nodes are not kopf's: its watch costs a hundred times as much an event."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import kopf

from labquota.api import GROUP, VERSION
from labquota.controllers.statuses import Statuses

_GROUPS: Final = (GROUP, VERSION, "resourcelimitgroups")
_OVERRIDES: Final = (GROUP, VERSION, "resourcelimitoverrides")


def registry(statuses: Statuses) -> kopf.OperatorRegistry:
    """The handlers of one operator. They hold no annotations or finalizers on what an admin writes."""
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers)(kopf.login_via_client)

    @kopf.on.event(*_GROUPS, registry=handlers)
    async def group_seen(event: Any, body: kopf.Body, **_: Any) -> None:
        statuses.see_group(dict(body), gone=event["type"] == "DELETED")

    @kopf.on.event(*_OVERRIDES, registry=handlers)
    async def override_seen(event: Any, body: kopf.Body, **_: Any) -> None:
        statuses.see_override(dict(body), gone=event["type"] == "DELETED")

    return handlers


async def run(statuses: Statuses, ready: Callable[[], None]) -> None:
    """Run kopf until cancelled: leadership is ours, so it runs alone and asks for no peers.

    Args:
        statuses: What the handlers tell.
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
    try:
        await kopf.operator(
            registry=registry(statuses), settings=settings, standalone=True, clusterwide=True, ready_flag=flag
        )
    finally:
        telling.cancel()
