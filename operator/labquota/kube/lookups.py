"""Reads what a decision about GPUs needs of other objects, remembered for a moment and shared by all who ask at once.

An object that is not there, or that labquota has no right to, is an answer: what follows is for the decision to say.
Whatever else keeps it from being read is an outage, which nobody but the cluster can bring about.
"""

import asyncio
import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote

import msgspec

from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.quota.access import VARIABLES
from labquota.quota.lookups import GONE, HIDDEN, DeviceClass, Facts, Found, Lookup

_MOST: Final = 2000
_KEPT_SECONDS: Final = 2.0
"""A burst of pods is judged by one read; what was made a moment ago is soon known."""
_LONGEST: Final = 256
"""Characters of a variable's value that are kept."""
_ROOTS: Final = {
    "configmaps": "/api/v1",
    "secrets": "/api/v1",
    "runtimeclasses": "/apis/node.k8s.io/v1",
    "resourceclaims": "/apis/resource.k8s.io/v1",
    "resourceclaimtemplates": "/apis/resource.k8s.io/v1",
    "deviceclasses": "/apis/resource.k8s.io/v1",
}


class Unread(Exception):  # noqa: N818  names what is wrong
    """Something cannot be read now; the message says what."""


class _Part(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What all parts have in common."""


class _Data(_Part, frozen=True):
    data: dict[str, str] = {}


class _Runtime(_Part, frozen=True):
    handler: str = ""


class _Exactly(_Part, frozen=True):
    device_class_name: str = ""


class _Asked(_Part, frozen=True):
    device_class_name: str = ""
    exactly: _Exactly = _Exactly()
    first_available: tuple[_Exactly, ...] = ()


class _Devices(_Part, frozen=True):
    requests: tuple[_Asked, ...] = ()


class _ClaimSpec(_Part, frozen=True):
    devices: _Devices = _Devices()


class _Claim(_Part, frozen=True):
    spec: _ClaimSpec = _ClaimSpec()


class _Template(_Part, frozen=True):
    spec: _Claim = _Claim()


class _Name(_Part, frozen=True):
    name: str = ""


class _Expression(_Part, frozen=True):
    expression: str = ""


class _Selector(_Part, frozen=True):
    cel: _Expression = _Expression()


class _ClassSpec(_Part, frozen=True):
    selectors: tuple[_Selector, ...] = ()
    extended_resource_name: str = ""


class _Class(_Part, frozen=True):
    metadata: _Name = _Name()
    spec: _ClassSpec = _ClassSpec()


class _Classes(_Part, frozen=True):
    items: tuple[_Class, ...] = ()


class Lookups:
    """Reads objects.

    Args:
        api: The API server.
        clock: For how long something is remembered.
    """

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self._known: dict[Lookup, tuple[float, Found]] = {}
        self._flying: dict[Lookup, asyncio.Task[Found]] = {}

    async def of(self, asked: Iterable[Lookup]) -> Facts:
        """What is found of each.

        Raises:
            Unread: Something cannot be read now.
        """
        several = tuple(asked)
        found = await asyncio.gather(*map(self._one, several))
        return dict(zip(several, found, strict=True))

    async def _one(self, lookup: Lookup) -> Found:
        now = self._clock.monotonic()
        until, found = self._known.get(lookup, (0.0, GONE))
        if now < until:
            return found
        if (task := self._flying.get(lookup)) is None:
            task = self._flying[lookup] = asyncio.create_task(self._read(lookup))
            task.add_done_callback(lambda done: self._landed(lookup, done))
        return await asyncio.shield(task)

    def _landed(self, lookup: Lookup, task: asyncio.Task[Found]) -> None:
        del self._flying[lookup]
        if not task.cancelled():
            task.exception()  # told to whoever still waits; where nobody does, it is nobody's

    async def _read(self, lookup: Lookup) -> Found:
        try:
            found = decode(lookup, await self._api.get(path(lookup)))
        except errors.NotFound:
            if lookup.name:
                return GONE  # not remembered: it may be created in the next moment, for the next pod
            found = GONE
        except errors.ApiError as error:
            if error.status != 403:
                raise Unread(f"{lookup.resource} {lookup.name} cannot be read: {error}") from error
            found = HIDDEN
        except (errors.KubeError, msgspec.DecodeError) as error:
            raise Unread(f"{lookup.resource} {lookup.name} cannot be read: {error}") from error
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[lookup] = self._clock.monotonic() + _KEPT_SECONDS, found
        return found


def path(lookup: Lookup) -> str:
    """Where it is."""
    place = f"/namespaces/{quote(lookup.namespace, safe='')}" if lookup.namespace else ""
    name = f"/{quote(lookup.name, safe='')}" if lookup.name else ""
    return f"{_ROOTS[lookup.resource]}{place}/{lookup.resource}{name}"


def decode(lookup: Lookup, body: bytes) -> Found:
    """What an object says.

    Raises:
        msgspec.DecodeError: It cannot be read.
    """

    def read(kind: Any) -> Any:
        return msgspec.json.decode(body, type=kind)

    match lookup.resource:
        case "configmaps":
            return Found(variables=dict(_variables(read(_Data).data)))
        case "secrets":
            return Found(variables=dict(_variables(read(_Data).data, encoded=True)))
        case "runtimeclasses":
            return Found(handler=read(_Runtime).handler)
        case "resourceclaims":
            return Found(classes=_claimed(read(_Claim)))
        case "resourceclaimtemplates":
            return Found(classes=_claimed(read(_Template).spec))
        case "deviceclasses":
            return Found(device_classes=tuple(map(_class, read(_Classes).items)))


def _variables(data: dict[str, str], *, encoded: bool = False) -> Iterator[tuple[str, str]]:
    """The entries that could become a variable that counts, alone or behind a prefix."""
    for key, text in data.items():
        if not any(name.endswith(key) for name in VARIABLES):
            continue
        if encoded:
            try:
                text = base64.b64decode(text).decode(errors="replace")  # noqa: PLW2901  the same in clear
            except binascii.Error:
                continue
        yield key, text[:_LONGEST]


def _claimed(claim: _Claim) -> tuple[str, ...]:
    names = {
        name
        for asked in claim.spec.devices.requests
        for name in (
            asked.device_class_name,
            asked.exactly.device_class_name,
            *(each.device_class_name for each in asked.first_available),
        )
    }
    return tuple(sorted(names - {""}))


def _class(given: _Class) -> DeviceClass:
    expressions = tuple(each.cel.expression for each in given.spec.selectors)
    return DeviceClass(given.metadata.name, expressions, given.spec.extended_resource_name)
