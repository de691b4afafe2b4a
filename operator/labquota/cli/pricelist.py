"""What the GPUs of one pod cost, and who says so: the part of `labquota explain` about prices."""

from collections.abc import Iterator
from typing import Any

from labquota.cli import output
from labquota.quota.costs import Item
from labquota.quota.points import MEMORY, WHOLE
from labquota.quota.resources import show


def view(items: tuple[Item, ...]) -> Iterator[Any]:
    """A table for people; nothing for a pod without GPUs."""
    if not items:
        return
    rows = [
        [
            each.resource,
            str(each.count),
            f"{each.price.compute}/{WHOLE}" if each.price else "?",
            f"{each.price.memory}/{WHOLE}" if each.price else "?",
            show(MEMORY, each.price.bytes) if each.price else "?",
            _source(each),
        ]
        for each in items
    ]
    columns = ("GPU resource", "asked", "compute of one", "memory of one", "gpu-memory of one", "price")
    yield output.table(columns, rows, numbers=columns[1:5])
    yield ""


def shape(items: tuple[Item, ...]) -> dict[str, dict[str, Any]]:
    """The same for programs; documented in docs/cli.md."""
    return {
        each.resource: {
            "asked": str(each.count),
            "compute": each.price.compute if each.price else None,
            "memory": each.price.memory if each.price else None,
            "gpuMemory": show(MEMORY, each.price.bytes) if each.price else None,
            "wholeGPU": each.price.whole if each.price else None,
            "source": _source(each),
        }
        for each in items
    }


def _source(item: Item) -> str:
    return item.price.source if item.price else "nobody has priced it"
