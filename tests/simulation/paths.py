"""Where an object is, taken from its path as the API server's router would."""

from functools import lru_cache
from typing import NamedTuple

SUBRESOURCES = frozenset({"status", "resize", "binding", "scale"})


class Place(NamedTuple):
    """A path taken apart.

    Attributes:
        resource: the collection of all namespaces, `/api/v1/pods`.
        namespace: "" for what is in none, and for a list of all.
        name: "" for a collection.
        sub: the subresource, or "".
    """

    resource: str
    namespace: str
    name: str
    sub: str = ""


class Key(NamedTuple):
    """What an object is stored under."""

    resource: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Its address in the API."""
        root, _, plural = self.resource.rpartition("/")
        inside = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"{root}{inside}/{plural}/{self.name}"

    @property
    def label(self) -> str:
        """As people write it: `pods lab/a`."""
        plural = self.resource.rpartition("/")[2]
        return f"{plural} {self.namespace}/{self.name}" if self.namespace else f"{plural} {self.name}"


@lru_cache(maxsize=65536)
def parse(path: str) -> Place:
    """Take a path apart.

    Raises:
        ValueError: it is no path of an object or a collection.
    """
    parts = path.strip("/").split("/")
    depth = {"api": 2, "apis": 3}.get(parts[0], 0)
    root, rest = "/" + "/".join(parts[:depth]), parts[depth:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    if not depth or not 1 <= len(rest) <= 3:
        raise ValueError(f"{path} is no path of the API")
    return (
        Place(f"{root}/{rest[0]}", namespace, *rest[1:])
        if len(rest) > 1
        else Place(f"{root}/{rest[0]}", namespace, "")
    )


def key(path: str) -> Key:
    """What the object at a path is stored under."""
    return Key(*parse(path)[:3])
