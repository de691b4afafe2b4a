"""Which pods hold an owner's budget, as the operator last published it: read for the line of a refusal only.

One read serves all refusals of an owner within a second, so that a storm of refusals costs one call.
"""

import asyncio
from typing import Final

import msgspec

from labquota.api import API_VERSION, OwnerUsage
from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.quota import owners
from labquota.quota.explain import Holder
from labquota.quota.owners import Owner
from labquota.quota.quantities import QuantityError
from labquota.quota.resources import parse_limit

_KEPT_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 1.0
_MOST_KEPT: Final = 1000
_USAGE: Final = msgspec.json.Decoder(OwnerUsage)


class Holders:
    """Reads OwnerUsage, at most once a second for one owner."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self._read: dict[Owner, tuple[float, asyncio.Task[list[Holder]]]] = {}

    async def of(self, owner: Owner) -> list[Holder]:
        """The owner's largest pods; empty where nothing is published, or not in time: the line does without."""
        now = self._clock.monotonic()
        at, task = self._read.get(owner, (0.0, None))
        if task is None or now - at > _KEPT_SECONDS:
            if len(self._read) >= _MOST_KEPT:
                self._read.clear()
            task = asyncio.create_task(self._fetch(owner))
            self._read[owner] = now, task
        return await asyncio.shield(task)

    async def _fetch(self, owner: Owner) -> list[Holder]:
        path = f"/apis/{API_VERSION}/ownerusages/{owners.object_name(owner)}"
        try:
            body = await self._api.get(path, {"resourceVersion": "0"}, timeout=_LONGEST_SECONDS)
            usage = _USAGE.decode(body)
        except (errors.KubeError, msgspec.DecodeError):
            return []
        return [Holder(pod.namespace, pod.name, _amounts(pod.uses)) for pod in usage.status.pods]


def _amounts(uses: dict[str, str]) -> dict[str, int]:
    amounts = {}
    for key, text in uses.items():
        try:
            amounts[key] = parse_limit(key, text) or 0
        except QuantityError:
            continue
    return amounts
