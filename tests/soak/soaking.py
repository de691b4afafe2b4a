"""The whole soak: stretches of life, a checkpoint after each, and the judgement at the end."""

import asyncio
import time
from collections.abc import Callable, Sequence

from controlplane import ControlPlane
from harness import CREATE_SECONDS, Installation, manifests
from soak import checking
from soak.checking import Checkpoint
from soak.living import Crowd, SoakError

__all__ = ["flat", "soak"]

_PEOPLE = 8
_GENERATIONS = 5
"""People leave for good and others come, so that gone owners would be seen."""
_MOST_PODS = 120
_SEEN_SECONDS = 1.5
"""Until every process has seen new limits: pods of unlimited owners make no reservations."""
_SETTLE_SECONDS = CREATE_SECONDS + 32
_GROWTH, _SLACK = 0.05, 6 * 2**20
"""What is still flat: what allocators and caches of a bounded size do."""


async def soak(
    plane: ControlPlane,
    installed: Installation,
    *,
    pods: int,
    checkpoints: int,
    say: Callable[[str], None],
    tag: str = "soak",
) -> list[Checkpoint]:
    """Let so many pods live and end.

    Args:
        plane: a control plane with nodes.
        installed: labquota on it.
        pods: how many are created.
        checkpoints: how often everything is compared.
        say: takes a line at each checkpoint.
        tag: what the names of all that is made begin with.

    Raises:
        SoakError: something does not hold; its text says what.
    """
    began, created, found = time.monotonic(), 0, list[Checkpoint]()
    owners: list[str] = []
    crowds: list[Crowd] = []
    stretch = -(-checkpoints // _GENERATIONS)
    for number in range(checkpoints):
        if number % stretch == 0:
            crowds.append(Crowd(plane, f"{tag}-{len(crowds)}", _PEOPLE))
            owners += crowds[-1].owners
            limits = manifests.group(tag, subjects=owners, aggregate={"pods": _MOST_PODS, "cpu": "100"})
            plane.client.apply([limits])
            await asyncio.sleep(_SEEN_SECONDS)
        crowd, count = crowds[-1], pods * (number + 1) // checkpoints - created
        await crowd.live(count)
        created += count
        found.append(await checking.look(plane, installed, created, began, owners, _SETTLE_SECONDS))
        say(str(found[-1]))
        if found[-1].wrong:
            raise SoakError(f"after {created:,} pods: {found[-1].wrong}")
        await crowd.leave()
    _judge(plane, installed, found, [crowd.name for crowd in crowds])
    return found


def _judge(
    plane: ControlPlane, installed: Installation, found: Sequence[Checkpoint], names: Sequence[str]
) -> None:
    if series := checking.named(plane, installed, names):
        raise SoakError(f"/metrics names owners: {', '.join(series[:3])}")
    for name in found[0].memory:
        if text := flat(name, [each.memory[name] for each in found]):
            raise SoakError(text)
        if found[-1].series[name] > found[len(found) // 2].series[name]:
            raise SoakError(f"{name} has more and more series: {[each.series[name] for each in found]}")


def flat(name: str, sizes: Sequence[int]) -> str:
    """What is wrong with a process's memory; empty if it does not grow.

    The last fifth of the checkpoints is compared with the second, by their middles: the first fills caches.
    """
    fifth = max(1, len(sizes) // 5)
    early, late = sorted(sizes[fifth : 2 * fifth]), sorted(sizes[-fifth:])
    before, after = early[len(early) // 2], late[len(late) // 2]
    if after <= before * (1 + _GROWTH) + _SLACK:
        return ""
    return f"{name} grew from {before / 2**20:.1f} to {after / 2**20:.1f} MiB"
