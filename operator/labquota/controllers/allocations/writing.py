"""What is sent to the API server about allocations: each write waits for its turn among all of the operator's."""

import hashlib
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import msgspec

from labquota import metrics
from labquota.api import API_VERSION, Condition, DeviceProcess, GPUAllocationStatus
from labquota.clock import Clock
from labquota.controllers.allocations import stored as storage
from labquota.controllers.allocations.stored import Stored
from labquota.controllers.pacing import Pace, Rank
from labquota.kube import errors
from labquota.kube.api import JSON_PATCH, Api
from labquota.quota.amounts import Amounts
from labquota.quota.owners import Owner

_COMPONENT: Final = "labquota-operator"
_LONGEST: Final = 1000
"""Bytes of an Event's message."""


class Pod(msgspec.Struct, frozen=True):
    """The pod that an allocation is made for."""

    namespace: str
    name: str
    uid: str
    owner: Owner


class _About(msgspec.Struct, frozen=True, rename="camel"):
    """What an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


class Writer:
    """Writes allocations and their Events.

    Args:
        api: The API server.
        pace: The operator's budget of writes.
        clock: The time of Events.
    """

    def __init__(self, api: Api, pace: Pace, clock: Clock) -> None:
        self._api, self._pace, self._clock = api, pace, clock

    async def create(self, pod: Pod, resources: Amounts, *, owned: bool) -> Stored:
        """Make the allocation of a pod.

        Args:
            pod: Whose.
            resources: What it asks for.
            owned: Whether it goes with the pod; else with us.

        Raises:
            KubeError: No answer, or not this one.
        """
        meta: dict[str, Any] = {"name": name_of(pod.uid), "namespace": pod.namespace}
        if owned:
            meta["ownerReferences"] = [
                {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid, "controller": False}
            ]
        spec = {"owner": pod.owner, "pod": {"name": pod.name, "uid": pod.uid}, "resources": resources}
        body = {"apiVersion": API_VERSION, "kind": "GPUAllocation", "metadata": meta, "spec": spec}
        await self._turn()
        return storage.decode(
            await self._api.create(storage.path_of(pod.namespace), msgspec.json.encode(body))
        )

    async def status(self, item: Stored, status: GPUAllocationStatus) -> Stored:
        """Write a status.

        Raises:
            KubeError: No answer, or not this one; `NotFound` and status 422 where it is another object by now.
        """
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": item.uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        path = f"{storage.path_of(item.namespace, item.name)}/status"
        await self._turn()
        return storage.decode(await self._api.patch(path, msgspec.json.encode(patch), JSON_PATCH))

    async def delete(self, item: Stored) -> None:
        """Remove an allocation, if it is still this one.

        Raises:
            KubeError: No answer, or not this one.
        """
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": item.uid}}
        await self._turn()
        try:
            await self._api.delete(storage.path_of(item.namespace, item.name), msgspec.json.encode(body))
        except errors.NotFound:
            return

    async def tell(self, item: Stored, condition: Condition) -> None:
        """Write an Event about a condition that has come to hold, or holds no longer.

        Raises:
            KubeError: No answer, or not this one.
        """
        holds, moment = condition.status == "True", _time(self._clock.now())
        word = condition.type if holds else f"No{condition.type}"
        text = condition.message if holds else f"{condition.type} no longer holds: {condition.reason}"
        about = _About(API_VERSION, "GPUAllocation", item.namespace, item.name, item.uid)
        await self._event(about, word, text, f"{condition.reason} {moment}", warning=holds)

    async def accuse(self, node: str, process: DeviceProcess) -> None:
        """Write an Event about a pod that uses a device which it was not given.

        Raises:
            KubeError: No answer, or not this one.
        """
        place = "" if process.gpu_instance < 0 else f" {process.gpu_instance}/{process.compute_instance}"
        what = f"process {process.pid}" + (f" ({process.command})" if process.command else "")
        text = (
            f"{what} uses GPU {process.gpu}{place} of node {node}, which this pod was not given: "
            "ask for GPUs under resources.limits"
        )
        about = _About("v1", "Pod", process.namespace, process.pod, process.pod_uid)
        await self._event(about, "Unaccounted", text, f"{process.gpu}{place}", warning=True)

    async def _event(self, about: "_About", reason: str, text: str, mark: str, *, warning: bool) -> None:
        """Write an Event, unless there is one with that mark already."""
        moment = _time(self._clock.now())
        digest = hashlib.sha256(f"{about.uid} {reason} {mark}".encode()).hexdigest()[:16]
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{about.name[:200]}.{digest}", "namespace": about.namespace},
            "involvedObject": about,
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": text.encode()[:_LONGEST].decode(errors="ignore"),
            "source": {"component": _COMPONENT},
            "reportingComponent": _COMPONENT,
            "count": 1,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
        }
        await self._turn()
        with suppress(errors.AlreadyExists):
            await self._api.create(f"/api/v1/namespaces/{about.namespace}/events", msgspec.json.encode(body))

    async def _turn(self) -> None:
        await self._pace.turn(Rank.REPORT)
        metrics.ALLOCATION_WRITES.inc()


def name_of(uid: str) -> str:
    """The name of a pod's allocation, which a policy keeps for the operator alone."""
    return f"pod-{uid}"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
