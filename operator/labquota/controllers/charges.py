"""What the operator's view keeps of a pod: three hundred bytes, name and uid included.

Equal amounts are shared, strings interned, the uid kept as the number that it is. Most events change nothing that
counts, so what is read of a pod is as little as its amounts can be told from: two pods whose resources are written
alike, byte for byte, hold alike, and are reckoned once.
"""

import functools
import logging
import re
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from labquota.controllers.seen import Seen, SeenContainer, SeenStatus, decode
from labquota.quota import costs, demand, owners, placing, pods
from labquota.quota.amounts import Amounts
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.placing import ANY, Placement
from labquota.quota.quantities import QuantityError
from labquota.quota.world import World

log = logging.getLogger(__name__)

Key = int | str
"""A pod's uid, packed."""

_CHARGED: Final = 1
_STAMPED: Final = 2
FLAGS: Final = 2
"""Bits of `state` below the deadline."""
_LONGEST: Final = 2_000
"""Bytes of resources above which a pod is reckoned each time: what users write is not to fill the memory."""
_MOST: Final = 4_096
_UID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Charge(msgspec.Struct, gc=False, eq=False):
    """One pod in the view.

    Attributes:
        key: Its uid, packed: a number takes half the memory.
        amounts: What it holds while it is charged; shared between pods, never to be changed.
        revision: Its resourceVersion, as a number where it is one.
        state: Whether it is charged and stamped, and its deadline.
        place: Where it runs or may run, by which its GPUs are priced; None for a pod without GPUs.
        before, after: Its neighbours among its owner's pods.
    """

    key: Key
    namespace: str
    name: str
    revision: int | str
    owner: Owner
    amounts: Amounts
    state: int
    node: str = ""
    place: Placement | None = None
    before: "Charge | None" = None
    after: "Charge | None" = None

    @property
    def uid(self) -> str:
        """Its uid, as Kubernetes writes it."""
        return unpack(self.key)

    @property
    def version(self) -> str:
        """Its resourceVersion."""
        return str(self.revision)

    @property
    def charged(self) -> bool:
        """Whether its phase costs its owner anything."""
        return bool(self.state & _CHARGED)

    @property
    def stamped(self) -> bool:
        """Whether it carries its owner; else its namespace decides."""
        return bool(self.state & _STAMPED)

    @property
    def deadline(self) -> float | None:
        """When its grace period is over (POSIX seconds), for a pod that is being deleted."""
        milliseconds = self.state >> FLAGS
        return milliseconds / 1000 if milliseconds else None

    def __repr__(self) -> str:
        return f"Charge({self.namespace}/{self.name}, {self.owner}, {self.amounts})"


def pack(uid: str) -> Key:
    """A uid as the view keeps it: as the number that it is; what is no uid of the usual form stays as it is."""
    return int(uid.replace("-", ""), 16) if _UID.fullmatch(uid) else uid


def unpack(key: Key) -> str:
    """The uid again."""
    if isinstance(key, str):
        return key
    text = f"{key:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def of(raw: msgspec.Raw | bytes, world: World) -> Charge:
    """Read a stored pod. One whose amounts cannot be reckoned counts as a pod and nothing else.

    Args:
        raw: The pod as the API server sends it.
        world: For the owner of a pod without a stamp, and the prices of GPUs.

    Raises:
        msgspec.DecodeError: It is no pod.
    """
    pod = decode(raw)
    meta, version = pod.metadata, pod.metadata.resource_version
    stamp = _stamp(meta.annotations.owner) if meta.annotations is not None else None
    state = _STAMPED if stamp else 0
    if pod.status.phase not in demand.FINISHED:
        state |= _CHARGED
    if meta.deletion_timestamp:
        deadline: datetime = msgspec.json.decode(meta.deletion_timestamp, type=datetime)
        state |= max(1, round(deadline.timestamp() * 1000)) << FLAGS
    amounts, node = _amounts(pod, raw), sys.intern(pod.spec.node_name)
    place = _place(pod, raw) if world.has_gpus(amounts) else None
    return Charge(
        pack(meta.uid),
        sys.intern(meta.namespace),
        meta.name,
        int(version) if version.isdecimal() and version.isascii() else version,
        stamp or Owner(sys.intern(world.owner_of({}, meta.namespace))),
        amounts if place is None else priced(amounts, place, world),
        state,
        node,
        place,
    )


def priced(amounts: Amounts, place: Placement, world: World) -> Amounts:
    """Amounts with what their GPUs cost there, as of now; the very same where nothing has changed."""
    found = costs.again(amounts, place, world.inventory)
    return amounts if found == amounts else _shared(tuple(sorted(found.items())))


_places: dict[tuple[bytes, bytes], Placement] = {}


def _place(pod: Seen, raw: msgspec.Raw | bytes) -> Placement:
    if pod.spec.node_name:
        return _on(pod.spec.node_name)
    key = bytes(pod.spec.node_selector), bytes(pod.spec.affinity)
    if not any(key):
        return ANY
    if (known := _places.get(key)) is not None:
        return known
    place = placing.of(pods.decode(raw).spec)
    if sum(map(len, key)) <= _LONGEST:
        if len(_places) >= _MOST:
            _places.clear()
        _places[key] = place
    return place


@functools.lru_cache(maxsize=8192)
def _on(node: str) -> Placement:
    return Placement(node=sys.intern(node))


def of_hold(
    uid: str,
    namespace: str,
    name: str,
    owner: Owner,
    amounts: Amounts,
    until: datetime | None,
    *,
    lasts: bool,
) -> Charge:
    """What the view keeps of a hold: named so that no pod is, and charged while it lasts.

    Args:
        uid: Its uid.
        namespace: Its namespace.
        name: Its name among those of pods.
        owner: Who pays.
        amounts: What it costs.
        until: When it ends by itself, which stands where a pod's deadline does.
        lasts: Whether it has not ended.
    """
    state = _STAMPED | (_CHARGED if lasts else 0)
    if until is not None:
        state |= max(1, round(until.timestamp() * 1000)) << FLAGS
    return Charge(pack(uid), sys.intern(namespace), name, 0, owner, amounts, state)


@functools.lru_cache(maxsize=8192)
def _stamp(text: str) -> Owner | None:
    owner = owners.named({OWNER_ANNOTATION: text})
    return owner and Owner(sys.intern(owner))


_reckoned: dict[tuple[object, ...], Amounts] = {}


def _amounts(pod: Seen, raw: msgspec.Raw | bytes) -> Amounts:
    written = _written(pod)
    if written is not None and (known := _reckoned.get(written)) is not None:
        return known
    try:
        amounts = _shared(tuple(sorted(demand.held(pods.decode(raw)).items())))
    except QuantityError as error:
        where = f"{pod.metadata.namespace}/{pod.metadata.name}"
        log.warning("a stored pod cannot be reckoned", extra={"pod": where, "error": str(error)})
        return _shared((("pods", 1),))
    if written is not None:
        if len(_reckoned) >= _MOST:
            _reckoned.clear()
        _reckoned[written] = amounts
    return amounts


def _written(pod: Seen) -> tuple[object, ...] | None:
    """All that `demand.held` reckons with, as it is written; None where that is much, or a resize is under way."""
    spec, status = pod.spec, pod.status
    if b"PodResize" in bytes(status.conditions):
        return None
    found = (
        *_resources(spec.containers),
        None,
        *_resources(spec.init_containers),
        None,
        bytes(spec.overhead),
        bytes(spec.resources),
        *_statuses(status.container_statuses),
        None,
        *_statuses(status.init_container_statuses),
        None,
        bytes(status.resources),
        bytes(status.allocated_resources),
    )
    return found if sum(map(len, filter(None, found))) <= _LONGEST else None


def _resources(containers: Iterable[SeenContainer]) -> list[str | bytes]:
    return [part for one in containers for part in (one.name, one.restart_policy, bytes(one.resources))]


def _statuses(statuses: Iterable[SeenStatus]) -> list[str | bytes]:
    return [
        part for one in statuses for part in (one.name, bytes(one.resources), bytes(one.allocated_resources))
    ]


@functools.lru_cache(maxsize=65536)
def _shared(items: tuple[tuple[str, int], ...]) -> Amounts:
    return dict(items)
