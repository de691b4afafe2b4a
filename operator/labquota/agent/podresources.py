"""The kubelet's PodResources API (gRPC, `v1`): what device plugins offer, and which container was given what.

| message (field numbers)          |                                                       |
|----------------------------------|-------------------------------------------------------|
| reply of `List`                  | pods = 1                                              |
| a pod                            | name = 1, namespace = 2, containers = 3               |
| a container                      | name = 1, devices = 2                                 |
| reply of `GetAllocatableResources` | devices = 1                                         |
| devices                          | resource name = 1, ids = 2 (repeated)                 |

There is no UID of a pod in it, the order is random, and a device plugin's name for a resource is repeated for each
device. A kubelet answers only so many calls a second.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.const import Status
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError

from labquota.agent import wire

_SERVICE: Final = "/v1.PodResourcesLister"


class Offer(NamedTuple):
    """One device, or one replica of a device, that a device plugin offers."""

    resource: str
    device: str


class Grant(NamedTuple):
    """One device that a container was given."""

    namespace: str
    pod: str
    container: str
    resource: str
    device: str


class PodResourcesError(Exception):
    """The kubelet gives no usable answer.

    Attributes:
        reason: One word for programs.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PodResources:
    """The kubelet's socket.

    Args:
        path: Where it is.
        timeout: Seconds for one call.
    """

    def __init__(self, path: str, timeout: float = 5.0) -> None:
        self._path, self._timeout = path, timeout
        self._channel: Channel | None = None

    async def given(self) -> list[Grant]:
        """Which container was given which device.

        Raises:
            PodResourcesError: No usable answer.
        """
        return await self._call("List", grants)

    async def offered(self) -> list[Offer]:
        """What device plugins offer, held or not.

        Raises:
            PodResourcesError: No usable answer.
        """
        return await self._call("GetAllocatableResources", offers)

    def close(self) -> None:
        """Close the connection; the next call makes a new one."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    async def _call(self, method: str, read: Any) -> list[Any]:
        if self._channel is None:
            self._channel = Channel(path=self._path, codec=_Bytes())
        call = UnaryUnaryMethod(self._channel, f"{_SERVICE}/{method}", bytes, bytes)
        try:
            # grpclib's own time-out begins once there is a connection
            async with asyncio.timeout(self._timeout):
                answer = await call(b"", timeout=self._timeout)
            return list(read(answer))
        except GRPCError as error:
            raise self._error(*_refused(method, error)) from error
        except TimeoutError as error:
            raise self._error("TimedOut", f"no answer to {method} within {self._timeout:g} s") from error
        except (wire.WireError, ProtocolError, StreamTerminatedError) as error:
            raise self._error("BadAnswer", f"the answer to {method} cannot be read: {error}") from error
        except OSError as error:
            said = error.strerror or str(error) or type(error).__name__
            raise self._error("NoConnection", f"no connection: {said}") from error

    def _error(self, reason: str, message: str) -> PodResourcesError:
        self.close()
        return PodResourcesError(reason, f"the kubelet's PodResources at {self._path}: {message}")


def grants(reply: bytes) -> Iterator[Grant]:
    """Read the reply of `List`.

    Raises:
        wire.WireError: It is none.
    """
    for number, pod in wire.fields(reply):
        if number == 1:
            yield from _of_pod(pod)


def offers(reply: bytes) -> Iterator[Offer]:
    """Read the reply of `GetAllocatableResources`.

    Raises:
        wire.WireError: It is none.
    """
    for number, devices in wire.fields(reply):
        if number == 1:
            yield from _devices(devices)


def _of_pod(message: bytes) -> Iterator[Grant]:
    name = namespace = ""
    containers: list[bytes] = []
    for number, value in wire.fields(message):
        if number == 1:
            name = wire.text(value)
        elif number == 2:
            namespace = wire.text(value)
        elif number == 3:
            containers.append(value)
    for container in containers:
        called, given = "", []
        for number, value in wire.fields(container):
            if number == 1:
                called = wire.text(value)
            elif number == 2:
                given.extend(_devices(value))
        for each in given:
            yield Grant(namespace, name, called, *each)


def _devices(message: bytes) -> list[Offer]:
    resource, ids = "", []
    for number, value in wire.fields(message):
        if number == 1:
            resource = wire.text(value)
        elif number == 2:
            ids.append(wire.text(value))
    return [Offer(resource, each) for each in ids]


def _refused(method: str, error: GRPCError) -> tuple[str, str]:
    said = f"{method} answered {error.status.name}" + (f": {error.message}" if error.message else "")
    if error.status is Status.RESOURCE_EXHAUSTED:
        return "RateLimited", said
    if error.status is Status.UNIMPLEMENTED:
        return "NotServed", said
    return "Refused", said


class _Bytes(CodecBase):
    """Hands messages through: requests are empty, and `wire` reads replies."""

    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        """Nothing to do."""
        del message_type
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> bytes:
        """Nothing to do."""
        del message_type
        return data
