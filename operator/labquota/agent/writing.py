"""Writes a node's GPUNode: made when it is missing, its status patched when it differs from what is stored."""

import logging
from datetime import datetime
from typing import Final

import msgspec

from labquota.api import API_VERSION, GPUNode, GPUNodeStatus
from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api

log = logging.getLogger(__name__)

PATH: Final = f"/apis/{API_VERSION}/gpunodes"
HEARTBEAT_SECONDS: Final = 60.0
"""Age of `lastScanTime` at which it is renewed though nothing else has changed."""


class Writer:
    """Knows what is stored, and makes it what it should be.

    Args:
        api: The API server.
        node: The node's name, which is the object's too.
        clock: Tells when a heartbeat is due.

    Attributes:
        stored: The status as the API server has it, as far as this process knows.
        writes: Calls that changed something, for the metrics.
    """

    def __init__(self, api: Api, node: str, clock: Clock) -> None:
        self.stored = GPUNodeStatus()
        self.writes = 0
        self._api, self._node, self._clock = api, node, clock
        self._path = f"{PATH}/{node}"
        self._exists = False
        self._beat: float | None = None
        self._told: GPUNodeStatus | None = None

    async def load(self) -> None:
        """Read what an earlier process has written: the last inventory, if NVML gives none now.

        Raises:
            errors.KubeError: The API server does not answer, or refuses.
        """
        try:
            body = await self._api.get(self._path)
        except errors.NotFound:
            return
        try:
            self.stored = msgspec.json.decode(body, type=GPUNode).status
            self._exists, self._told = True, _without_time(self.stored)
        except msgspec.DecodeError as error:
            # of another version of labquota; it is written anew, all of it
            log.warning("what is stored cannot be read", extra={"object": self._path, "error": str(error)})

    async def write(self, status: GPUNodeStatus, owner: str = "") -> bool:
        """Store a status if it says something new, or the heartbeat if that is due.

        Args:
            status: All of it but `lastScanTime`.
            owner: The Node's UID: the object goes when the node goes.

        Returns:
            Whether something was written.

        Raises:
            errors.KubeError: The API server does not answer, or refuses. Nothing is known to be stored.
        """
        now = self._clock.now().replace(microsecond=0)
        changed = _without_time(status) != _without_time(self.stored)
        if not changed and not self._due():
            return False
        patch: dict[str, object] = {"lastScanTime": now}
        if changed or self._told is None:
            patch = _different(status, None if self._told is None else self.stored, now)
        try:
            answer = await self._patch(patch)
        except errors.NotFound:
            self._exists, changed = False, True
            await self._create(owner)
            answer = await self._patch(_different(status, None, now))
        self.stored = msgspec.structs.replace(status, last_scan_time=now)
        self._beat = self._clock.monotonic()
        self._note(answer, changed=changed)
        return True

    def _note(self, answer: GPUNodeStatus | None, *, changed: bool) -> None:
        """See whether somebody else has written it since; what an older definition leaves out is no change."""
        told = None if answer is None else _without_time(answer)
        if not changed and told != self._told:
            log.warning(
                "somebody else has changed the status, writing all of it", extra={"object": self._path}
            )
            self.stored, self._beat, told = GPUNodeStatus(), None, None
        self._told = told

    def _due(self) -> bool:
        return self._beat is None or self._clock.monotonic() - self._beat >= HEARTBEAT_SECONDS

    async def _patch(self, status: object) -> GPUNodeStatus | None:
        if not self._exists:
            raise errors.NotFound(404, "NotFound", f"{self._path} is not known to exist")
        body = await self._api.patch(f"{self._path}/status", msgspec.json.encode({"status": status}))
        self.writes += 1
        try:
            return msgspec.json.decode(body, type=GPUNode).status
        except msgspec.DecodeError:
            return None

    async def _create(self, owner: str) -> None:
        metadata: dict[str, object] = {"name": self._node}
        if owner:
            node = {"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": owner}
            metadata["ownerReferences"] = [node]
        body = {"apiVersion": API_VERSION, "kind": "GPUNode", "metadata": metadata}
        try:
            await self._api.create(PATH, msgspec.json.encode(body))
            self.writes += 1
        except errors.AlreadyExists:
            pass  # by an earlier process; its status is replaced as a whole
        self._exists = True


def _without_time(status: GPUNodeStatus) -> GPUNodeStatus:
    return msgspec.structs.replace(status, last_scan_time=None)


def _different(status: GPUNodeStatus, stored: GPUNodeStatus | None, now: datetime) -> dict[str, object]:
    """The fields that differ, each as a whole; all of them where nothing is stored."""
    patch: dict[str, object] = {"lastScanTime": now}
    for name, written in zip(status.__struct_fields__, status.__struct_encode_fields__, strict=True):
        value = getattr(status, name)
        if name != "last_scan_time" and (stored is None or value != getattr(stored, name)):
            patch[written] = value
    return patch
