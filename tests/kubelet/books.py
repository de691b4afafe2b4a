"""Which device is whose, as a kubelet keeps it. Pure: pods and the time come in."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Books", "Entry", "Given"]

_ENDED = ("Succeeded", "Failed")


class Given(NamedTuple):
    """A device that a container has."""

    container: str
    resource: str
    device: str


@dataclass
class Entry:
    """A pod that the kubelet has taken."""

    namespace: str
    name: str
    given: list[Given] = field(default_factory=list)
    hidden: list[Given] = field(default_factory=list)
    """Of ordinary init containers: never listed, though nobody else gets them."""
    until: float | None = None
    """It has ended, and is listed until then."""


class Books:
    """Gives devices to pods.

    Args:
        offers: Ids by resource name, as they are now.
        rng: Which of the free ones, and the order of lists.
        linger: Seconds for which a finished pod is still listed.

    Attributes:
        refused: Pods for which there was not enough; a kubelet lets them fail.
    """

    def __init__(
        self, offers: Callable[[], Mapping[str, Sequence[str]]], rng: random.Random, linger: float = 0.0
    ) -> None:
        self.refused: list[str] = []
        self._offers, self._rng, self._linger = offers, rng, linger
        self._entries: dict[str, Entry] = {}

    def take(self, kind: str, pod: Mapping[str, Any], now: float) -> Entry | None:
        """Take an event of a pod; its entry, if it has just been given devices."""
        uid, status = pod["metadata"]["uid"], pod.get("status", {})
        entry = self._entries.get(uid)
        ended = status.get("phase") in _ENDED
        if entry is not None:
            if ended and entry.until is None:
                entry.until = now + self._linger
            if kind == "DELETED" and entry.until is None:
                del self._entries[uid]
            return None
        if kind == "DELETED" or ended or not status.get("startTime"):
            return None
        entry = self._admit(pod)
        if entry is not None:
            self._entries[uid] = entry
        return entry

    def forget(self, uids: set[str]) -> None:
        """Drop whoever is not among these, after a gap in which deletions went unseen."""
        gone = [uid for uid, entry in self._entries.items() if uid not in uids and entry.until is None]
        for uid in gone:
            del self._entries[uid]

    def listed(self, now: float) -> list[Entry]:
        """The pods of `List`, in random order."""
        for uid in [
            uid for uid, each in self._entries.items() if each.until is not None and each.until <= now
        ]:
            del self._entries[uid]
        found = list(self._entries.values())
        self._rng.shuffle(found)
        return found

    def offered(self) -> list[tuple[str, str]]:
        """All devices with their resource, held or not, in random order."""
        found = [(name, device) for name, ids in self._offers().items() for device in ids]
        self._rng.shuffle(found)
        return found

    def of(self, namespace: str, name: str) -> list[str]:
        """The devices of the pod of a name that has not ended, sorted."""
        return sorted(
            given.device
            for each in self._entries.values()
            if (each.namespace, each.name) == (namespace, name) and each.until is None
            for given in each.given
        )

    def _admit(self, pod: Mapping[str, Any]) -> Entry | None:
        entry = Entry(pod["metadata"]["namespace"], pod["metadata"]["name"])
        free = self._free()
        again: dict[str, list[str]] = defaultdict(list)
        for container, ordinary in _containers(pod["spec"]):
            limits: Mapping[str, Any] = container.get("resources", {}).get("limits", {})
            for resource, amount in limits.items():
                if resource not in free:
                    continue
                for _ in range(int(amount)):
                    if not (again[resource] or free[resource]):
                        self.refused.append(f"{entry.namespace}/{entry.name}")
                        return None
                    device = (again[resource] or free[resource]).pop()
                    (entry.hidden if ordinary else entry.given).append(
                        Given(container["name"], resource, device)
                    )
            if ordinary:
                for given in entry.hidden:
                    if given.device not in again[given.resource]:
                        again[given.resource].append(given.device)
        return entry

    def _free(self) -> dict[str, list[str]]:
        taken = {
            given.device
            for each in self._entries.values()
            if each.until is None
            for given in (*each.given, *each.hidden)
        }
        free = {name: [each for each in ids if each not in taken] for name, ids in self._offers().items()}
        for ids in free.values():
            self._rng.shuffle(ids)
        return free


def _containers(spec: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Containers in the order in which they are given devices, and whether each is an ordinary init container."""
    for each in spec.get("initContainers", ()):
        yield each, each.get("restartPolicy") != "Always"
    for each in spec["containers"]:
        yield each, False
