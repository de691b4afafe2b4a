"""A user's groups, as of the newest request that they made themselves: kept with their ledger for what others make.

Whoever creates a Deployment makes no pod themselves. Their groups are known while they do, and decide the limits of its
pods, which come from a controller that knows nothing of them.
"""

import contextlib
from typing import Final

import msgspec

from labquota.clock import Clock
from labquota.kube.ledgers import Ledgers
from labquota.quota import admission, owners
from labquota.quota.cases import Case, Request
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.pods import Metadata, Pod
from labquota.quota.world import World
from labquota.webhook.admissions import Admissions
from labquota.webhook.means import Outage

_SECONDS: Final = 1.0
"""The longest that anybody waits for it."""


class Memory:
    """Writes groups into ledgers where they have changed.

    Args:
        world: Which groups some limit names.
        store: What the ledgers remember.
        admissions: The owners' queues.
        clock: The time that decides which overrides apply.
    """

    def __init__(self, world: World, store: Ledgers, admissions: Admissions, clock: Clock) -> None:
        self._world, self._store, self._admissions, self._clock = world, store, admissions, clock

    async def note(self, username: str, groups: tuple[str, ...], namespace: str) -> None:
        """Remember a requester's groups, if they are others than before; what cannot be written now is left."""
        owner = owners.of_requester(username)
        if self._world.named_groups(groups) == self._store.groups(owner):
            return
        stamp: dict[str, str] = {OWNER_ANNOTATION: owner}
        pod = Pod(metadata=Metadata(name="none", namespace=namespace, uid="none", annotations=stamp))
        request = Request("none", "CREATE", username, groups, namespace, "none", pod)
        case = self._case(request)
        if case.needs_ledger:
            with contextlib.suppress(Outage):
                await self._admissions.judge(lambda: self._case(request), _SECONDS)

    def _case(self, request: Request) -> Case:
        """A request that asks for nothing."""
        case = admission.examine(request, self._world, self._clock.now(), self._store.groups)
        return msgspec.structs.replace(case, grows={}, refusals=(), over_per_pod=())
