"""An API server's watch cache: what it has seen of the store so far, and the streams that it feeds from that.

    store ──(lag)──► Cache.advance ──► objects at some version, and every stream in order

A stream shows each change after its first version once and in order. A version that the cache no longer keeps is
answered by 410; one that it has yet to see, by silence until it has.
"""

from collections.abc import Callable

from labquota.kube import errors
from simulation import refusals
from simulation.paths import Key, Place
from simulation.store import Change, Store


class Stream:
    """One watch, as the API server feeds it.

    Attributes:
        seen: the version up to which it has shown everything.
        ended: nobody reads it any more.
    """

    __slots__ = ("_began", "_field", "_initial_until", "_namespace", "ended", "resource", "seen", "tell")

    def __init__(
        self, place: Place, field: str, seen: int, tell: Callable[[bytes], None], initial_until: int = 0
    ) -> None:
        self.resource, self._namespace = place.resource, place.namespace
        self._field = field.removeprefix("metadata.name=")
        self._began = self.seen = seen
        self.tell, self.ended = tell, False
        self._initial_until = initial_until

    def matches(self, key: Key) -> bool:
        """Whether it shows this object."""
        return (not self._field or key.name == self._field) and (
            not self._namespace or key.namespace == self._namespace
        )

    def show(self, kind: str, key: Key, raw: bytes) -> None:
        """Tell of one object."""
        if self.matches(key):
            self.tell(b'{"type":"%s","object":%s}' % (kind.encode(), raw))

    def bookmark(self, version: int) -> None:
        """Tell up to where everything was shown; nothing where that is older than what the watch began with."""
        if version <= self._began and not self._initial_until:
            return
        self.seen = version
        note = b""
        if self._initial_until:
            if version < self._initial_until:
                return
            self._initial_until, note = 0, b',"annotations":{"k8s.io/initial-events-end":"true"}'
        self.tell(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"%d"%s}}}' % (version, note))

    def progress(self, version: int) -> None:
        """All up to a version was shown: a first set may be complete with that."""
        if self._initial_until:
            self.bookmark(version)


class Cache:
    """One API server's view of the store; see the module.

    Attributes:
        version: up to where it has seen the store.
        floor: from where on it can tell a watch what happened.
        compacted: up to where a list's pages are no longer to be had.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.version = self.floor = self.compacted = store.version
        self._objects: dict[str, dict[Key, bytes]] = {
            resource: {key: item.raw for key, item in items.items()}
            for resource, items in store.items.items()
        }
        self.streams: dict[str, list[Stream]] = {}

    def of(self, resource: str) -> dict[Key, bytes]:
        """All objects of a resource as the cache knows them."""
        return self._objects.get(resource, {})

    def advance(self, version: int) -> None:
        """See the store up to a version."""
        if version <= self.version:
            return
        for change in self._store.since(self.version):
            if change.version > version:
                break
            self._take(change)
        self.version = version
        for streams in self.streams.values():
            for stream in streams:
                stream.progress(version)

    def forget(self) -> None:
        """Keep nothing of the past: whoever asks for it is told so."""
        self.floor = self.compacted = self.version

    def _take(self, change: Change) -> None:
        resource = change.key.resource
        objects = self._objects.setdefault(resource, {})
        if change.kind == "DELETED":
            objects.pop(change.key, None)
        else:
            objects[change.key] = change.item.raw
        self.version = change.version
        if streams := self.streams.get(resource):
            for stream in streams:
                if change.version > stream.seen:
                    stream.show(change.kind, change.key, change.item.raw)
                    stream.seen = change.version
            self.streams[resource] = [stream for stream in streams if not stream.ended]

    def watch(self, place: Place, params: dict[str, str] | object, tell: Callable[[bytes], None]) -> Stream:
        """Begin a watch: what happened since its version, or all that there is, is told at once.

        Raises:
            errors.ApiError: the version is no number, or too old.
        """
        assert isinstance(params, dict)
        text, field = params.get("resourceVersion", ""), params.get("fieldSelector", "")
        if params.get("sendInitialEvents") == "true":
            if params.get("resourceVersionMatch") != "NotOlderThan":
                raise refusals.bad("sendInitialEvents needs resourceVersionMatch NotOlderThan")
            # Not older than the request: the set is told as the cache has it, then what came since, then the bookmark.
            until = int(text) if text else self._store.version
            return self._whole(place, field, tell, max(until, 1))
        if text in ("", "0"):
            return self._whole(place, field, tell, 0)
        seen = int(text)
        if seen < self.floor:
            raise refusals.expired(f"too old resource version: {seen} ({self.floor})")
        stream = Stream(place, field, seen, tell)
        for change in self._store.since(seen):
            if change.version > self.version:
                break
            if change.key.resource == place.resource:
                stream.show(change.kind, change.key, change.item.raw)
        stream.seen = max(seen, self.version)
        self.streams.setdefault(place.resource, []).append(stream)
        return stream

    def _whole(self, place: Place, field: str, tell: Callable[[bytes], None], until: int) -> Stream:
        stream = Stream(place, field, self.version, tell, until)
        for key, raw in self.of(place.resource).items():
            stream.show("ADDED", key, raw)
        stream.progress(self.version)
        self.streams.setdefault(place.resource, []).append(stream)
        return stream


def error_line(error: errors.ApiError) -> bytes:
    """The line by which a stream says that it is over."""
    text = error.message.replace('"', "'").encode()
    return (
        b'{"type":"ERROR","object":{"kind":"Status","status":"Failure","code":%d,"reason":"%s","message":"%s"}}'
        % (
            error.status,
            error.reason.encode(),
            text,
        )
    )
