"""Conditions and phases of groups and overrides: what a schema cannot see shows here, and breaks no enforcement."""

import asyncio
import logging
from typing import Any, Final

import msgspec

from labquota.api import (
    API_VERSION,
    Condition,
    ResourceLimitGroup,
    ResourceLimitGroupStatus,
    ResourceLimitOverride,
    ResourceLimitOverrideStatus,
)
from labquota.clock import Clock
from labquota.controllers import conditions
from labquota.controllers.pacing import Pace, Rank
from labquota.controllers.usage import Usage
from labquota.kube import errors
from labquota.kube.api import JSON_PATCH, Api
from labquota.kube.ledgers import Ledgers
from labquota.quota import compiling
from labquota.quota.limits import Group
from labquota.quota.owners import Owner
from labquota.quota.world import World

log = logging.getLogger(__name__)

_GROUPS: Final = f"/apis/{API_VERSION}/resourcelimitgroups"
_OVERRIDES: Final = f"/apis/{API_VERSION}/resourcelimitoverrides"
_SECONDS: Final = 1.0


class Statuses:
    """Writes the status of groups and overrides, a second after something that they show has changed.

    Args:
        api: The API server.
        world: All groups and overrides, for what they say of each other.
        usage: Who is over a limit.
        store: Everybody who has a ledger.
        clock: The time that phases follow.
        pace: The operator's budget of writes.
    """

    def __init__(
        self, api: Api, world: World, usage: Usage, store: Ledgers, clock: Clock, pace: Pace
    ) -> None:
        self._api, self._world, self._usage, self._store = api, world, usage, store
        self._clock, self._pace = clock, pace
        self._groups: dict[str, ResourceLimitGroup] = {}
        self._overrides: dict[str, ResourceLimitOverride] = {}

    def see_group(self, body: Any, *, gone: bool) -> None:
        """A group was made, changed or removed."""
        _see(self._groups, msgspec.convert(body, ResourceLimitGroup, strict=False), gone=gone)

    def see_override(self, body: Any, *, gone: bool) -> None:
        """An override was made, changed or removed."""
        _see(self._overrides, msgspec.convert(body, ResourceLimitOverride, strict=False), gone=gone)

    async def run(self) -> None:
        """Keep all statuses true, until cancelled."""
        while True:
            counts, over = self._counts()
            for group in list(self._groups.values()):
                status = self._of_group(group, counts.get(group.metadata.name, 0), over)
                await self._write(_GROUPS, group, status)
            for override in list(self._overrides.values()):
                await self._write(_OVERRIDES, override, self._of_override(override))
            await asyncio.sleep(_SECONDS)

    def _counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Owners and owners over a limit, per group."""
        counts: dict[str, int] = {}
        over: dict[str, int] = {}
        above = set(self._usage.over_limit())
        for owner in list(self._store.copies):
            group = self._group_of(owner)
            if group is not None:
                counts[group] = counts.get(group, 0) + 1
                over[group] = over.get(group, 0) + (owner in above)
        return counts, over

    def _group_of(self, owner: Owner) -> str | None:
        return self._world.limits_of(owner, self._store.groups(owner), self._clock.now()).group

    def _of_group(
        self, group: ResourceLimitGroup, owners: int, over: dict[str, int]
    ) -> ResourceLimitGroupStatus:
        compiled = compiling.group(group)
        problems = [*compiled.problems, *self._rivals(compiled)]
        return ResourceLimitGroupStatus(
            conditions=(self._ready(group, group.status.conditions, problems),),
            observed_generation=group.metadata.generation,
            owners=owners,
            over_limit=over.get(group.metadata.name, 0),
        )

    def _rivals(self, group: Group) -> list[str]:
        """Other groups that are a default for the same kind: which one decides is told, not left to chance."""
        found = []
        for kind in sorted(group.default_for):
            rivals = [each for each in self._world.groups.values() if kind in each.default_for]
            if len(rivals) > 1:
                first = min(rivals, key=lambda each: (-each.priority, each.name)).name
                names = ", ".join(sorted(each.name for each in rivals))
                found.append(f"spec.defaultFor: {kind} has several default groups ({names}); {first} decides")
        return found

    def _of_override(self, override: ResourceLimitOverride) -> ResourceLimitOverrideStatus:
        compiled = compiling.override(override)
        return ResourceLimitOverrideStatus(
            phase=compiled.phase(self._clock.now()),
            conditions=(self._ready(override, override.status.conditions, list(compiled.problems)),),
            observed_generation=override.metadata.generation,
        )

    def _ready(
        self,
        item: ResourceLimitGroup | ResourceLimitOverride,
        known: tuple[Condition, ...],
        problems: list[str],
    ) -> Condition:
        return conditions.settle(
            known,
            "Ready",
            "Problems" if problems else "Accepted",
            "; ".join(problems),
            holds=not problems,
            now=self._clock.now(),
            generation=item.metadata.generation,
        )

    async def _write(self, path: str, item: Any, status: Any) -> None:
        if item.status == status:
            return
        await self._pace.turn(Rank.REPORT)
        patch = msgspec.json.encode([{"op": "add", "path": "/status", "value": status}])
        try:
            await self._api.patch(f"{path}/{item.metadata.name}/status", patch, JSON_PATCH)
        except errors.NotFound:
            return  # it was removed meanwhile
        except errors.KubeError as error:
            log.warning(
                "a status cannot be written", extra={"object": item.metadata.name, "error": str(error)}
            )


def _see(known: dict[str, Any], item: Any, *, gone: bool) -> None:
    if gone:
        known.pop(item.metadata.name, None)
    else:
        known[item.metadata.name] = item
