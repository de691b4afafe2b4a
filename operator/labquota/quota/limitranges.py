"""What a namespace's LimitRanges add to a pod before it is judged.

The rules of the LimitRanger admission plugin: for each LimitRange by name, a container that leaves a resource unset
gets `default` as its limit and `defaultRequest` as its request; a limit that was written is a request already.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from labquota.quota.pods import ResourceList, Resources, Spec


class Item(msgspec.Struct, rename="camel", gc=False):
    """One of spec.limits."""

    type: str = ""
    default: ResourceList = {}
    default_request: ResourceList = {}


class _Spec(msgspec.Struct, gc=False):
    limits: list[Item] = []


class _Range(msgspec.Struct, gc=False):
    spec: _Spec


class _Ranges(msgspec.Struct, gc=False):
    items: list[_Range]


_RANGES: Final = msgspec.json.Decoder(_Ranges)


def decode(body: bytes) -> list[Item]:
    """What a list of LimitRanges says about containers.

    Raises:
        msgspec.DecodeError: It is no such list.
    """
    ranges = _RANGES.decode(body).items
    return [item for each in ranges for item in each.spec.limits if item.type == "Container"]


def complete(spec: Spec, items: Iterable[Item]) -> None:
    """Fill in what the containers of a pod, or of a template, leave open."""
    for item in items:
        for container in (*spec.init_containers, *spec.containers):
            container.resources = _completed(container.resources, item)


def _completed(resources: Resources, item: Item) -> Resources:
    requests = {**resources.limits, **resources.requests}
    return Resources(
        requests={**item.default_request, **requests}, limits={**item.default, **resources.limits}
    )
