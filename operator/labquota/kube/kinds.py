"""Which resource a kind is, as the API server's discovery says: where its objects are read."""

from typing import Final
from urllib.parse import quote

import msgspec

from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api

_KEPT_SECONDS: Final = 600.0
_MISSING_SECONDS: Final = 1.0
"""Somebody may have asked just before the kind was installed; its first objects have pods soon after."""
_MOST: Final = 1_000


class Kind(msgspec.Struct, frozen=True):
    """A kind of object.

    Attributes:
        version: As in `apiVersion`.
        resource: The plural by which it is addressed.
        namespaced: Whether its objects live in namespaces.
    """

    version: str
    resource: str
    namespaced: bool

    @property
    def name(self) -> str:
        """`resource.group`, the group left out where there is none."""
        group, slash, _ = self.version.partition("/")
        return f"{self.resource}.{group}" if slash else self.resource

    def path(self, namespace: str, name: str) -> str:
        """Where an object of it is."""
        place = f"namespaces/{quote(namespace, safe='')}/" if self.namespaced else ""
        return f"{_root(self.version)}/{place}{self.resource}/{quote(name, safe='')}"


class _Resource(msgspec.Struct, gc=False):
    name: str
    kind: str
    namespaced: bool = False


class _Resources(msgspec.Struct, gc=False):
    resources: list[_Resource] = []


_RESOURCES: Final = msgspec.json.Decoder(_Resources)


class Kinds:
    """Looks kinds up, and remembers a version's for some minutes; one that is missing, for a second."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self._known: dict[str, tuple[float, dict[str, Kind]]] = {}

    async def find(self, version: str, kind: str) -> Kind | None:
        """The kind of an `apiVersion`; None where the API server has none.

        Raises:
            KubeError: The API server does not answer.
        """
        now = self._clock.monotonic()
        at, known = self._known.get(version, (-_KEPT_SECONDS, {}))
        age = now - at
        if age >= (_KEPT_SECONDS if kind in known else _MISSING_SECONDS):
            known = await self._read(version)
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[version] = now, known
        return known.get(kind)

    async def _read(self, version: str) -> dict[str, Kind]:
        try:
            body = await self._api.get(_root(version))
        except errors.NotFound:
            return {}
        found = _RESOURCES.decode(body).resources
        return {
            each.kind: Kind(version, each.name, each.namespaced) for each in found if "/" not in each.name
        }


def _root(version: str) -> str:
    return f"/apis/{quote(version)}" if "/" in version else f"/api/{quote(version)}"
