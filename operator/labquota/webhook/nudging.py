"""Late help: when budget frees, the controllers whose pods this replica has refused are asked to try again.

    refused ──► remembered ──► a newer ledger, or other limits ──► would the pod fit now? ──► its maker is touched
                    ▲                                                                              │
                    └───────────────────── refused once more, if somebody else was quicker ◄───────┘

A refusal rests on a ledger as it is then, so what fits a copy of it afterwards has come free since. Each maker is asked
once for each refusal, an owner's at most once a second, and one whom it does not help after a pause that doubles: so
nothing goes round and round. What a replica forgets when it is restarted waits for its controller's own back-off.
"""

import asyncio
import itertools
import logging
from typing import Final

import msgspec

from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.ledgers import Ledgers
from labquota.kube.lineage import Unresolved
from labquota.quota.cases import Case, Request
from labquota.quota.owners import Owner
from labquota.quota.world import World
from labquota.webhook.makers import Maker, Makers
from labquota.webhook.refitting import Refitting
from labquota.webhook.touching import Toucher

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 1.0
"""Between two times that an owner's makers are asked."""
_LOOK_SECONDS: Final = 0.1
"""Between two looks at an owner's ledger, which may change hundreds of times a second."""
_RULES_SECONDS: Final = 0.5
"""Between two looks at whether limits have changed."""
_SOON_SECONDS: Final = 0.001
"""What is due so soon is done now: a timer may be early by a little."""
_SWEEP_SECONDS: Final = 60.0
"""Between two times that what is too old is forgotten."""
_AT_ONCE: Final = 20
"""Makers of one owner that are asked at once."""
_CANNOT: Final = "a controller cannot be asked to try again"


class Nudger:
    """Remembers whose pods were refused, and has their makers asked.

    Args:
        toucher: Asks one.
        world: Groups, overrides and namespaces.
        store: The ledgers.
        clock: For pauses, and the time that decides which overrides apply.
    """

    def __init__(self, toucher: Toucher, world: World, store: Ledgers, clock: Clock) -> None:
        self._toucher, self._world, self._clock = toucher, world, clock
        self._makers, self._refitting = Makers(), Refitting(world, store)
        self._due: dict[Owner, float] = {}
        self._not_before: dict[Owner, float] = {}
        self._revision, self._swept = -1, 0.0
        self._woken = asyncio.Event()

    def refused(self, case: Case) -> None:
        """Remember the maker of a pod that is refused."""
        now = self._clock.monotonic()
        if self._makers.refused(case, now):
            self._plan(case.owner, now)  # for what has come free while the refusal was on its way

    def told(self, owner: Owner) -> None:
        """A newer copy of an owner's ledger is known."""
        if self._makers.has(owner):
            self._plan(owner, self._clock.monotonic())

    async def run(self) -> None:
        """Look at owners when they are due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._woken.clear()
                self._look_at_rules()
                soon = self._clock.monotonic() + _SOON_SECONDS
                for owner in [owner for owner, at in self._due.items() if at <= soon]:
                    del self._due[owner]
                    if found := self._look(owner):
                        tasks.create_task(self._ask(owner, found))
                    await asyncio.sleep(0)  # requests go first
                await self._until_due()

    async def _until_due(self) -> None:
        seconds = _RULES_SECONDS if self._makers else None
        if self._due:
            seconds = min(_RULES_SECONDS, max(0.0, min(self._due.values()) - self._clock.monotonic()))
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    def _plan(self, owner: Owner, at: float) -> None:
        """Look at an owner's makers then, or as soon as they may be asked again."""
        at = max(at, self._not_before.get(owner, at))
        if at < self._due.get(owner, at + 1):
            self._due[owner] = at
            self._woken.set()

    def _look_at_rules(self) -> None:
        """After a change of limits or namespaces everybody is looked at; those that are too old are forgotten."""
        if not self._makers:
            return
        now, revision = self._clock.monotonic(), self._world.revision(self._clock.now())
        if now - self._swept > _SWEEP_SECONDS:
            self._swept = now
            self._not_before = {owner: at for owner, at in self._not_before.items() if at > now}
            self._makers.forget_old(now)
        if revision == self._revision:
            return
        self._revision = revision
        self._makers.refile(self._owner_of)
        for owner in self._makers.owners:
            self._plan(owner, now)

    def _owner_of(self, request: Request) -> Owner:
        return request.owner or self._world.owner_of(request.stored.annotations, request.namespace)

    def _look(self, owner: Owner) -> list[Maker]:
        """Take out the makers whose pods would fit now, one after the other, those refused longest ago first."""
        now = self._clock.monotonic()
        awake = []
        for maker in self._makers.of(owner):
            if (rests := self._makers.rests_until(maker)) > now:
                self._plan(owner, rests)
            else:
                awake.append(maker)
        fitting = self._refitting.of(owner, awake, self._clock.now())
        found = list(itertools.islice(fitting, _AT_ONCE))
        self._not_before[owner] = now + (EVERY_SECONDS if found else _LOOK_SECONDS)
        for maker in found:
            self._makers.take(owner, maker)
        if found and self._makers.has(owner):
            self._plan(owner, now)  # more may fit than are asked at once
        return found

    async def _ask(self, owner: Owner, makers: list[Maker]) -> None:
        for maker in makers:
            place = {**_place(maker), "owner": owner}
            try:
                touch = await self._toucher.touch(maker)
                if touch.outcome == "later":
                    self._ask_later(owner, maker)
                elif touch.outcome == "nudged":
                    self._makers.asked(maker, touch.progress, self._clock.monotonic())
                    log.info("a controller is asked to try again", extra=place)
            except (errors.KubeError, Unresolved, msgspec.DecodeError) as error:
                log.warning(_CANNOT, extra={**place, "error": str(error)})
                if isinstance(error, errors.KubeError) and errors.passing(error):
                    self._ask_later(owner, maker)
            except Exception:  # the others are asked all the same
                log.exception(_CANNOT, extra=place)

    def _ask_later(self, owner: Owner, maker: Maker) -> None:
        self._makers.put_back(owner, maker)
        self._plan(owner, self._clock.monotonic() + EVERY_SECONDS)


def _place(maker: Maker) -> dict[str, object]:
    reference = maker.reference
    return {"workload": f"{reference.kind}/{reference.name}", "namespace": maker.request.namespace}
