"""The record of a Lease: what a candidate reads of it, how long it has stood still, and what is written next.

Nobody trusts anybody's wall clock. What counts is how long a record has stood still by our own monotonic clock; its
times are for people, and to make every renewal a change.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labquota.clock import Clock


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


class Record:
    """One Lease object, as it was last read or written.

    Args:
        duration: how long it must stand still before somebody else takes over, in seconds, where it does not say.
        clock: measures how long it stands still, and tells the time that people read.

    Attributes:
        annotations: as last read or written, those of an earlier holder included.
    """

    def __init__(self, duration: int, clock: Clock) -> None:
        self.annotations: dict[str, str] = {}
        self._duration = duration
        self._clock = clock
        self._metadata: dict[str, Any] = {}
        self._spec: dict[str, Any] = {}
        self._seen: tuple[Any, ...] = ()
        self._still_since = 0.0
        self._stamp = dt.datetime.min.replace(tzinfo=dt.UTC)

    @property
    def version(self) -> str:
        """Its resourceVersion."""
        return str(self._metadata["resourceVersion"])

    @property
    def holder(self) -> str:
        """Who holds it; "" for nobody."""
        return self._spec.get("holderIdentity") or ""

    @property
    def epoch(self) -> int:
        """How often it was acquired."""
        return int(self._spec.get("leaseTransitions") or 0)

    def read(self, answer: bytes) -> None:
        """Take what the API server says."""
        found = json.loads(answer)
        self._metadata, self._spec = found["metadata"], found.get("spec") or {}
        self.annotations = dict(self._metadata.get("annotations") or {})

    def begin(self, namespace: str, name: str) -> None:
        """There is none: the next one written is the first."""
        self._metadata, self._spec = {"name": name, "namespace": namespace}, {}

    def is_abandoned(self) -> bool:
        """Whether it has stood still for its duration since we first saw it so."""
        seen = tuple(
            self._spec.get(key) for key in ("holderIdentity", "renewTime", "leaseTransitions", "acquireTime")
        )
        now = self._clock.monotonic()
        if seen != self._seen:
            self._seen, self._still_since = seen, now
        duration = self._spec.get("leaseDurationSeconds") or self._duration
        return bool(now - self._still_since >= duration)

    def next(self, holder: str, epoch: int, annotations: Mapping[str, str]) -> bytes:
        """What is to be written in its place, as JSON; it swaps with the version that was read.

        Args:
            holder: who holds it then; "" for nobody.
            epoch: one that it does not have yet is an acquisition.
            annotations: to be set; others stay as they are.
        """
        # Candidates look for a change of this time: it must grow even if the wall clock stands still or is set back.
        self._stamp = max(self._clock.now(), self._stamp + dt.timedelta(microseconds=1))
        stamp = self._stamp.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            # managedFields off: they would cost more than the record on each of its many writes.
            "metadata": {
                **self._metadata,
                "annotations": {**(self._metadata.get("annotations") or {}), **annotations},
                "managedFields": [{}],
            },
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": self._duration,
                "acquireTime": stamp if epoch != self.epoch else self._spec.get("acquireTime"),
                "renewTime": stamp,
                "leaseTransitions": epoch,
            },
        }
        return json.dumps(body).encode()
