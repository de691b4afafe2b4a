"""The steps that the node's tests share: pods of a person that must pass, and what their budget shows then."""

from typing import Any

from controlplane import User
from controlplane.process import wait_until
from harness import World

__all__ = ["charged", "created"]


def charged(world: World, owner: str, **amounts: int) -> None:
    """Wait until an owner's budget shows these amounts (`pods`, and MIG profiles with `_` for `.`) and no others."""
    wanted = {_key(key): str(value) for key, value in amounts.items()}

    def shown() -> bool:
        usage = world.usage(owner)
        used = {key: value for key, value in usage.get("used", {}).items() if value != "0" and _told(key)}
        return used == wanted and not usage.get("reserved")

    assert wait_until(shown, 15, every=0.1), f"{owner}: {wanted} expected; {world.usage(owner)}"


def _key(word: str) -> str:
    return word if word == "pods" else f"nvidia.com/mig-{word.removeprefix('mig_').replace('_', '.')}"


def _told(key: str) -> bool:
    return key == "pods" or key.startswith("nvidia.com/")


async def created(world: World, user: User, *pods: dict[str, Any]) -> None:
    """Create pods of a user, which must all pass."""
    async with world.client(user) as client:
        for each in pods:
            answer = await client.create_pod(each)
            assert answer.status == 201, answer.message
