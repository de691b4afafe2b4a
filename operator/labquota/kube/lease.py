"""One active operator at a time, by a coordination.k8s.io/v1 Lease.

Nobody trusts anybody's wall clock: a candidate takes over when it has watched the record stand still for the Lease's
duration by its own monotonic clock, or at once when the holder has emptied it. All writes compare and swap.
`leaseTransitions` is the epoch: every acquisition makes it larger, also one by the same process, so that whatever
carries an epoch tells an earlier holder's work from a later one's. The holder gives up (`Lost`) well before anybody
else may take over.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping

from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.kube.backoff import Backoff
from labquota.kube.errors import Lost
from labquota.kube.record import Record, Times

log = logging.getLogger(__name__)

CALL_SECONDS = 4.0
"""Time-out of one call: a renewal gets more than one try before its deadline."""


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
        self._api = api
        self._namespace = namespace
        self._name = name
        self._clock = clock
        self._rng = rng
        self._times = times or Times()
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._record = Record(self._times.duration, clock)
        self._renewed_at = 0.0

    @property
    def annotations(self) -> Mapping[str, str]:
        """Those of the record as last read or written, an earlier holder's included."""
        return self._record.annotations

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
            self._record.read(await self._api.get(self._path, timeout=CALL_SECONDS))
        except errors.NotFound:
            self._record.begin(self._namespace, self._name)
            await self._write(self.identity, max(1, minimum_epoch), annotations, new=True)
            return True
        record = self._record
        if record.holder and record.holder != self.identity and not record.is_abandoned():
            return False
        epoch = max(record.epoch + 1, minimum_epoch)
        await self._write(self.identity, epoch, annotations)
        return True

    async def _check(self) -> None:
        """After a conflict: go on if it was our own write, or another's on our record; else it is lost."""
        try:
            self._record.read(await self._api.get(self._path, timeout=CALL_SECONDS))
        except errors.NotFound:
            raise self._lost("it was deleted") from None
        except errors.KubeError:
            return  # the next write conflicts again, if it must
        record = self._record
        if (record.holder, record.epoch) != (self.identity, self.epoch):
            raise self._lost(f"now held by {record.holder or 'nobody'}")

    async def _write(
        self, holder: str, epoch: int, annotations: Mapping[str, str], *, new: bool = False
    ) -> None:
        """Compare and swap the record; on success it is ours, as of the moment before the call."""
        began = self._clock.monotonic()
        body = self._record.next(holder, epoch, annotations)
        if new:
            answer = await self._api.create(self._collection, body, timeout=CALL_SECONDS)
        else:
            answer = await self._api.replace(self._path, body, timeout=CALL_SECONDS)
        self._record.read(answer)
        self._renewed_at = began
        self.epoch = epoch
        self.resource_version = self._record.version

    def _age(self) -> float:
        return self._clock.monotonic() - self._renewed_at

    def _lost(self, why: str) -> Lost:
        self.resource_version = ""
        return Lost(f"lease {self._namespace}/{self._name} is lost: {why}")
