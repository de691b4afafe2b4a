"""Many creates at once, what came of them, and whether any pod passed unchecked.

A pod of a storm is never scheduled and never run: it is stored, and counts.
"""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import aiohttp

from controlplane import ControlPlane, User
from controlplane.process import wait_until
from harness import manifests, probe
from harness.clients import Answer, AsyncClient
from harness.installation import Installation
from harness.manifests import Manifest
from harness.world import World
from labquota.quota import encoding
from labquota.quota.ledger import Book

__all__ = ["CLIENTS", "SCALE", "all_at_once", "nothing_unchecked", "pod", "tally", "true_ledger", "unchecked"]

CLIENTS = 64
SCALE = int(os.environ.get("STORM", "1"))
"""How many times the creates of each storm are multiplied: `STORM=10 pytest tests/cluster/test_storm.py`."""
WEBHOOK = "pods.labquota.dev"
_UNCHECKED = ("failed_open", "not_synced")


def pod(name: str, namespace: str, **fields: Any) -> Manifest:
    """A pod that no scheduler takes."""
    spec = {"schedulerName": "nobody", **fields.pop("spec", {})}
    return manifests.pod(name, namespace, spec=spec, **fields)


async def all_at_once(
    creates: Sequence[tuple[User, Manifest]], *, clients: int = CLIENTS, server: int = 0
) -> list[Answer | None]:
    """Create pods, each as a user, over as many connections as there are clients.

    Args:
        creates: who creates what, in this order.
        clients: how many calls are open at once.
        server: the number of the API server.

    Returns:
        What the API server said to each; None where it did not answer.
    """
    slots = asyncio.Semaphore(clients)
    async with AsyncExitStack() as stack:
        users = {user.name: user for user, _ in creates}
        calls = {
            name: await stack.enter_async_context(AsyncClient(user, server=server, connections=clients))
            for name, user in users.items()
        }

        async def one(user: User, manifest: Manifest) -> Answer | None:
            async with slots:
                try:
                    return await calls[user.name].create_pod(manifest)
                except (aiohttp.ClientError, TimeoutError):
                    return None

        return await asyncio.gather(*(one(user, manifest) for user, manifest in creates))


def tally(answers: Iterable[Answer | None]) -> Counter[str]:
    """How often each answer came: `201`, `409`, a refusal by its codes, `none`."""
    return Counter(map(_word, answers))


def _word(answer: Answer | None) -> str:
    if answer is None:
        return "none"
    if answer.status != 403 or not answer.causes:
        return str(answer.status)
    return " ".join(sorted({str(cause["reason"]) for cause in answer.causes}))


def unchecked(plane: ControlPlane, installation: Installation) -> Counter[str]:
    """How many requests passed without a judgement so far, by who says so."""
    found: Counter[str] = Counter()
    for number in range(len(plane.servers)):
        if plane.apiserver(number).alive:
            found[f"API server {number}"] = probe.failed_open(plane.admin.client(number), WEBHOOK)
    for name, process in plane.processes.items():
        if name.startswith("webhook-") and process.alive:
            metrics = installation.metrics(name)
            for answer in _UNCHECKED:
                sample = f'labquota_admission_requests_total{{answer="{answer}"}}'
                found[f"{name} {answer}"] = int(metrics.get(sample, 0))
    return found


@contextlib.contextmanager
def nothing_unchecked(plane: ControlPlane, installation: Installation) -> Iterator[None]:
    """Assert that meanwhile neither an API server nor a replica let a request pass without a judgement."""
    before = unchecked(plane, installation)
    yield
    passed = unchecked(plane, installation) - before
    assert not passed, f"passed without a judgement: {dict(passed)}"


def true_ledger(world: World, owner: str, seconds: float, **amounts: int) -> None:
    """Assert that an owner's ledger comes to hold exactly these amounts, with no reservation left.

    Args:
        world: where the ledger is.
        owner: whose.
        seconds: how long to wait.
        amounts: by canonical resource; those not named are not looked at.
    """
    wrong = ["there is no ledger"]

    def holds() -> bool:
        wrong[:] = _wrong(world.ledger(owner), amounts)
        return not wrong

    assert wait_until(partial(holds), seconds, every=0.1), f"{owner} after {seconds:g} s: {'; '.join(wrong)}"


def _wrong(text: str | None, amounts: dict[str, int]) -> list[str]:
    if text is None:
        return ["there is no ledger"] if any(amounts.values()) else []
    stored = encoding.decode(text)
    wrong = [f"{len(stored.reservations)} reservations are open"] if stored.reservations else []
    total = Book(stored).total
    return wrong + [
        f"{key} is {total.get(key, 0)} instead of {amount}"
        for key, amount in amounts.items()
        if total.get(key, 0) != amount
    ]
