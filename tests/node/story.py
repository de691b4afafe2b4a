"""Waits until all parties tell the same of a pod's devices: kubelet, status, container, agent, allocation, and NVML."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from controlplane.process import wait_until
from harness.clients import pods as pods_of
from node.witnesses import Ids, Witnesses

__all__ = ["Story"]

PARTIES = ("kubelet", "status", "container", "agent", "allocation")
_OF_THE_POD = ("status", "container")


class Story(Witnesses):
    """The parties' words in one namespace, and what they come to."""

    def agreed(self, pod: str, count: int, seconds: float = 30, *, without: tuple[str, ...] = ()) -> Ids:
        """Wait until all parties name the same devices of a pod, so many of them, and NVML has them; returns their ids.

        Args:
            pod: its name.
            count: how many devices.
            seconds: how long to wait.
            without: parties that are not asked.

        Raises:
            AssertionError: they do not agree in time; with the words of each.
        """
        words: dict[str, Ids] = {}

        def same() -> bool:
            words.update({name: getattr(self, name)(pod) for name in PARTIES if name not in without})
            ids = next(iter(words.values()))
            there = {each.partition("::")[0] for each in ids} <= self.inventory()
            return there and len(ids) == count and len(set(words.values())) == 1

        assert wait_until(same, seconds, every=0.2), (
            f"{pod}: {count} devices are expected; {words}; {self.pod(pod).get('status')}"
        )
        return next(iter(words.values()))

    def nobody(self, pod: str, seconds: float = 30) -> None:
        """Wait until no party names a device of a pod any more.

        Raises:
            AssertionError: one still does.
        """
        words: dict[str, Ids] = {}

        def none() -> bool:
            # What is gone has no status and no processes: the others must have noticed.
            words.update({name: getattr(self, name)(pod) for name in PARTIES if name not in _OF_THE_POD})
            return not any(words.values())

        assert wait_until(none, seconds, every=0.2), f"{pod}: no device is expected any more; {words}"

    async def eventually(self, refusal: Callable[[], Awaitable[str]], seconds: float = 15) -> None:
        """Ask until the refusal is empty.

        Raises:
            AssertionError: it stays; with its words.
        """
        until = time.monotonic() + seconds
        while said := await refusal():
            assert time.monotonic() < until, said
            await asyncio.sleep(0.2)

    def remove(self) -> None:
        """Delete all pods of this namespace now, and wait until their devices are free."""
        self._client.delete(pods_of(self.namespace), gracePeriodSeconds=0)
        self.empty()

    def empty(self, seconds: float = 30) -> None:
        """Wait until the kubelet lists no device of this namespace any more.

        Raises:
            AssertionError: it takes too long.
        """

        def none() -> bool:
            held = self.node.podresources()["held"]
            return all(each["namespace"] != self.namespace for each in held)

        assert wait_until(none, seconds, every=0.2), self.node.podresources()["held"]

    def says(self, condition: str, status: str, seconds: float = 30) -> None:
        """Wait until a condition of the GPUNode has a status.

        Raises:
            AssertionError: it takes too long.
        """

        def said() -> bool:
            conditions = self.gpunode().get("conditions", [])
            return any((each["type"], each["status"]) == (condition, status) for each in conditions)

        assert wait_until(said, seconds, every=0.2), self.gpunode().get("conditions")

    def reached(self, pod: str, phase: str, seconds: float = 30) -> dict[str, Any]:
        """Wait until a pod is in a phase; returns it.

        Raises:
            AssertionError: it takes too long.
        """
        until = time.monotonic() + seconds
        while (found := self.pod(pod)).get("status", {}).get("phase") != phase:
            assert time.monotonic() < until, (
                f"{pod} is not {phase} after {seconds:g} s: {found.get('status')}"
            )
            time.sleep(0.1)
        return found
