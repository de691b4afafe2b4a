"""The life of pods: created by people, run and finished by fake nodes, cleared away; and what goes wrong on the way."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from controlplane import ControlPlane, User
from harness import AsyncClient, manifests
from harness.clients import Answer, pods
from harness.manifests import Manifest

__all__ = ["ASKS", "Crowd", "SoakError"]

ASKS = {"requests.cpu": 10, "requests.memory": 16 * 2**20, "pods": 1}
"""What each pod holds, by canonical resource: milli-cores, bytes, pods."""
_CALLS = 16
_CLEAR_SECONDS = 1.0
_FULL = "_QUOTA_EXCEEDED"
_HOLD = {"controlplane/hold": "true"}
_ENDS = {"controlplane/outcome": "Succeeded"}


class SoakError(Exception):
    """What must hold does not."""


class Crowd:
    """Some people, their namespace, and the pods that they make.

    Args:
        plane: the control plane, with nodes.
        name: of the namespace, and the beginning of the people's names.
        people: how many.
        role: what their rights are.
    """

    def __init__(self, plane: ControlPlane, name: str, people: int, role: str | None = "edit") -> None:
        self.plane, self.name = plane, name
        self.people: Sequence[User] = [plane.user(f"{name}-{number}", role=role) for number in range(people)]
        self.owners = [f"user:{person.name}" for person in self.people]
        self.created = 0
        self._numbers = itertools.count()
        plane.client.apply([manifests.namespace(name)])
        plane.client.call(
            "POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}}
        )

    async def live(self, count: int) -> None:
        """Create so many pods; some refused ones and repeated names come on top. Ends when all but a few have finished.

        Raises:
            SoakError: the API server says something that nobody expects.
        """
        numbers = iter(range(count))
        clearing = asyncio.create_task(self._clear())
        try:
            async with asyncio.TaskGroup() as tasks:
                for worker in range(_CALLS):
                    tasks.create_task(self._work(self.people[worker % len(self.people)], numbers))
            await self._all_finished()
        finally:
            clearing.cancel()
        await self._clear_once()

    async def leave(self) -> None:
        """Delete what is still held."""
        async with AsyncClient(self.plane.admin) as admin:
            await admin.delete(pods(self.name), gracePeriodSeconds=0)

    async def _work(self, person: User, numbers: Iterator[int]) -> None:
        async with AsyncClient(person, connections=2) as client:
            for number in numbers:
                name = f"p{next(self._numbers)}"
                pod = self._pod(name, held=number % 25 == 0)
                if number % 20 == 7:
                    _expect(await client.create_pod(pod, dryRun="All"), refused=True)
                while not _expect(await client.create_pod(pod), refused=True):  # noqa: ASYNC110  asked again
                    await asyncio.sleep(0.1)  # until something of theirs has ended
                self.created += 1
                if number % 10 == 3:  # let through, and then not stored
                    answer = await client.create_pod(pod)
                    if answer.status != 409:
                        _expect(answer, refused=True)
                if number % 20 == 11:
                    await client.delete_pod(self.name, name, gracePeriodSeconds=0)

    def _pod(self, name: str, *, held: bool) -> Manifest:
        fields: dict[str, Any] = {"annotations": _HOLD if held else _ENDS, "spec": {"restartPolicy": "Never"}}
        return manifests.pod(name, self.name, cpu="10m", memory="16Mi", **fields)

    async def _clear(self) -> None:
        while True:
            await asyncio.sleep(_CLEAR_SECONDS)
            await self._clear_once()

    async def _clear_once(self) -> None:
        async with AsyncClient(self.plane.admin) as admin:
            where = f"{pods(self.name)}?fieldSelector=status.phase%3DSucceeded"
            await admin.delete(where, gracePeriodSeconds=0)

    async def _all_finished(self, seconds: float = 120) -> None:
        async with AsyncClient(self.plane.admin) as admin:
            try:
                async with asyncio.timeout(seconds):
                    while True:
                        items = await admin.list(pods(self.name), resourceVersion="0")
                        if all(map(_is_done, items)):
                            return
                        await asyncio.sleep(0.3)
            except TimeoutError:
                raise SoakError(f"pods of {self.name} have not finished after {seconds:.0f} s") from None


def _is_done(pod: Manifest) -> bool:
    """Whether nothing more comes of a pod: it has finished, or is held as it is."""
    held = pod["metadata"]["annotations"].get("controlplane/hold")
    return bool(held) or pod["status"].get("phase") == "Succeeded"


def _expect(answer: Answer, *, refused: bool) -> bool:
    """Whether a pod was let through; a refusal for quota is no surprise.

    Raises:
        SoakError: it is something else.
    """
    if not answer.ok and not (refused and answer.status == 403 and _FULL in answer.message):
        raise SoakError(f"a create was answered {answer.status}: {answer.message}")
    return answer.ok
