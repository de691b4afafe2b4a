"""One active operator at a time, by a coordination.k8s.io/v1 Lease.

Nobody trusts anybody's wall clock: a candidate takes over when it has watched the record stand still for the Lease's
duration by its own monotonic clock, or at once when the holder has emptied it. All writes compare and swap.
`leaseTransitions` is the epoch: every acquisition makes it larger, also one by the same process, so that whatever
carries an epoch tells an earlier holder's work from a later one's. The holder gives up (`Lost`) well before anybody
else may take over.
"""

import asyncio
import datetime as dt
import json
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.kube.backoff import Backoff
from labquota.kube.errors import Lost

log = logging.getLogger(__name__)

CALL_SECONDS = 4.0
"""Time-out of one call: a renewal gets more than one try before its deadline."""


@dataclass(frozen=True)
class Times:
    """The times of a Lease, in seconds.

    Attributes:
        duration: how long a record must stand still before somebody else takes over. Whole seconds.
        renew_deadline: how long after the last renewal the holder counts itself as the holder. Less than `duration`,
            so that it stops before another one starts.
        poll: how often a candidate looks; also how soon a released Lease is taken.
    """

    duration: int = 15
    renew_deadline: float = 10.0
    poll: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.renew_deadline < self.duration:
            raise ValueError(
                f"renew_deadline ({self.renew_deadline:g} s) must be below duration ({self.duration} s)"
            )


class Lease:
    """A candidate for one Lease, and its holder between `acquire` and `Lost` or `release`.

    Args:
        api: the API server.
        namespace: the Lease's namespace.
        name: the Lease's name.
        identity: who we are, for people: the pod's name. A random suffix makes it unique to this process.
        clock: measures all intervals, and tells the time that people read in the record.
        rng: the identity's suffix, and jitter.
        times: see `Times`.

    Attributes:
        identity: who we are, suffix included.
        epoch: `leaseTransitions` of our own acquisition; 0 before the first.
        resource_version: of the record as we last wrote it; "" when we hold nothing.
        annotations: of the record as last read or written, those of an earlier holder included.
    """

    def __init__(
        self,
        api: Api,
        namespace: str,
        name: str,
        *,
        identity: str,
        clock: Clock,
        rng: random.Random,
        times: Times | None = None,
    ) -> None:
        self.identity = f"{identity}_{rng.getrandbits(40):010x}"
        self.epoch = 0
        self.resource_version = ""
        self.annotations: dict[str, str] = {}
        self._api = api
        self._namespace = namespace
        self._name = name
        self._clock = clock
        self._rng = rng
        self._times = times or Times()
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._record: dict[str, Any] = {}
        self._seen: tuple[Any, ...] = ()
        self._still_since = 0.0
        self._renewed_at = 0.0
        self._stamp = dt.datetime.min.replace(tzinfo=dt.UTC)

    def held(self) -> bool:
        """Tell whether we are the holder: acquired, and renewed within the deadline."""
        return bool(self.resource_version) and self._age() < self._times.renew_deadline

    async def acquire(
        self, minimum_epoch: Callable[[], int] = int, annotations: Mapping[str, str] | None = None
    ) -> int:
        """Wait until we are the holder.

        Args:
            minimum_epoch: tells, at the moment of taking over, what the epoch is to be at least; a Lease that somebody
                has deleted would begin at 1 again.
            annotations: to be set on the record with the acquisition; others stay as they are.

        Returns:
            The epoch.
        """
        backoff = Backoff(self._rng, first=self._times.poll / 4, most=self._times.poll * 2)
        self.resource_version = ""
        while True:
            try:
                if await self._try(minimum_epoch(), annotations or {}):
                    log.info(
                        "holding lease %s/%s as %s, epoch %d",
                        self._namespace,
                        self._name,
                        self.identity,
                        self.epoch,
                    )
                    return self.epoch
                backoff.reset()
                wait = self._times.poll * (0.75 + self._rng.random() / 2)
            except (errors.Conflict, errors.AlreadyExists):
                wait = backoff.after()
            except errors.KubeError as error:
                wait = backoff.after(error)
                log.warning("cannot reach lease %s/%s, trying on: %s", self._namespace, self._name, error)
            await asyncio.sleep(wait)

    async def renew(self, annotations: Mapping[str, str] | None = None) -> str:
        """Show that we are alive, and set annotations with the same write.

        Returns:
            The record's new resource version.

        Raises:
            Lost: somebody else has taken the Lease, it was deleted, or it could not be renewed within the deadline.
        """
        if not self.resource_version:
            raise Lost(f"lease {self._namespace}/{self._name} is not held")
        backoff = Backoff(self._rng, first=0.2, most=1.0)
        while True:
            # However late it is, one try is right: the compare-and-swap succeeds only if nobody held it meanwhile.
            try:
                await self._write(self.identity, self.epoch, annotations or {})
            except errors.Conflict:
                why = "its record kept changing"
                await self._check()
            except errors.NotFound:
                raise self._lost("it was deleted") from None
            except errors.KubeError as error:
                why = str(error)
            else:
                return self.resource_version
            wait = backoff.after()
            if self._age() + wait >= self._times.renew_deadline:
                raise self._lost(f"not renewed for {self._age():.1f} s: {why}")
            await asyncio.sleep(wait)

    async def release(self) -> None:
        """Empty the record, so that another candidate takes over at once. Never raises: who leaves can do no more."""
        if not self.resource_version:
            return
        try:
            try:
                await self._write("", self.epoch, {})
            except errors.Conflict:  # a renewal that was cut off had been stored
                await self._check()
                await self._write("", self.epoch, {})
        except errors.KubeError as error:
            log.warning(
                "lease %s/%s is not released, it ends by itself: %s", self._namespace, self._name, error
            )
        self.resource_version = ""

    async def _try(self, minimum_epoch: int, annotations: Mapping[str, str]) -> bool:
        """Look once, and take the record if it is free."""
        try:
            self._read(await self._api.get(self._path, timeout=CALL_SECONDS))
        except errors.NotFound:
            self._record = {"metadata": {"name": self._name, "namespace": self._namespace}, "spec": {}}
            await self._write(self.identity, max(1, minimum_epoch), annotations, new=True)
            return True
        spec = self._record["spec"]
        holder = spec.get("holderIdentity") or ""
        if holder and holder != self.identity and not self._abandoned(spec):
            return False
        epoch = max(int(spec.get("leaseTransitions") or 0) + 1, minimum_epoch)
        await self._write(self.identity, epoch, annotations)
        return True

    def _abandoned(self, spec: Mapping[str, Any]) -> bool:
        """Tell whether the record has stood still for its duration since we first saw it so."""
        seen = tuple(
            spec.get(key) for key in ("holderIdentity", "renewTime", "leaseTransitions", "acquireTime")
        )
        now = self._clock.monotonic()
        if seen != self._seen:
            self._seen, self._still_since = seen, now
        duration = spec.get("leaseDurationSeconds") or self._times.duration
        return now - self._still_since >= duration

    async def _check(self) -> None:
        """After a conflict: go on if it was our own write, or another's on our record; else it is lost."""
        try:
            self._read(await self._api.get(self._path, timeout=CALL_SECONDS))
        except errors.NotFound:
            raise self._lost("it was deleted") from None
        except errors.KubeError:
            return  # the next write conflicts again, if it must
        spec = self._record["spec"]
        if (spec.get("holderIdentity"), spec.get("leaseTransitions")) != (self.identity, self.epoch):
            raise self._lost(f"now held by {spec.get('holderIdentity') or 'nobody'}")

    async def _write(
        self, holder: str, epoch: int, annotations: Mapping[str, str], *, new: bool = False
    ) -> None:
        """Compare and swap the record; on success it is ours, as of the moment before the call."""
        began = self._clock.monotonic()
        body = json.dumps(self._next(holder, epoch, annotations)).encode()
        if new:
            answer = await self._api.create(self._collection, body, timeout=CALL_SECONDS)
        else:
            answer = await self._api.replace(self._path, body, timeout=CALL_SECONDS)
        self._read(answer)
        self._renewed_at = began
        self.epoch = epoch
        self.resource_version = self._record["metadata"]["resourceVersion"]

    def _next(self, holder: str, epoch: int, annotations: Mapping[str, str]) -> dict[str, Any]:
        # Candidates look for a change of this time: it must grow even if the wall clock stands still or is set back.
        self._stamp = max(self._clock.now(), self._stamp + dt.timedelta(microseconds=1))
        stamp = self._stamp.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata, spec = self._record["metadata"], self._record["spec"]
        taken = epoch != spec.get("leaseTransitions")
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            # managedFields off: they would cost more than the record on each of its many writes.
            "metadata": {
                **metadata,
                "annotations": {**(metadata.get("annotations") or {}), **annotations},
                "managedFields": [{}],
            },
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": self._times.duration,
                "acquireTime": stamp if taken else spec.get("acquireTime"),
                "renewTime": stamp,
                "leaseTransitions": epoch,
            },
        }

    def _read(self, answer: bytes) -> None:
        record = json.loads(answer)
        self._record = {"metadata": record["metadata"], "spec": record.get("spec") or {}}
        self.annotations = dict(record["metadata"].get("annotations") or {})

    def _age(self) -> float:
        return self._clock.monotonic() - self._renewed_at

    def _lost(self, why: str) -> Lost:
        self.resource_version = ""
        return Lost(f"lease {self._namespace}/{self._name} is lost: {why}")
