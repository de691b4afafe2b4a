"""What the GPUs of one pod cost, added to its amounts: `gpu-compute`, `gpu-slots` and `gpu-memory`.

    demand ──► amounts ──► each GPU resource, its price where the pod may run ──► the same amounts, priced

A pod without GPUs costs nothing here, not even time. A GPU whose name nobody has priced is as dear as the dearest: it
is refused by name, and where it runs all the same it is never free.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from labquota.quota import placing, prices
from labquota.quota.amounts import Amounts
from labquota.quota.inventory import Inventory
from labquota.quota.placing import Placement
from labquota.quota.pods import Pod
from labquota.quota.points import COMPUTE, MEMORY, PRICED, SLOTS, Price
from labquota.quota.quantities import MAX

_UNITS: Final = "gpu"
_MOST_REMEMBERED: Final = 20_000
_MOST_KINDS: Final = 100
"""Names are anybody's to invent, and a pod has room for tens of thousands."""


class Item(msgspec.Struct, frozen=True):
    """So many devices of one resource, and what one of them costs; None: nobody has priced it."""

    resource: str
    count: int
    price: Price | None


def of(amounts: Amounts, pod: Pod, inventory: Inventory) -> Amounts:
    """A pod's amounts with what its GPUs cost.

    Args:
        amounts: What it asks for or holds, by `demand`.
        pod: For where it may run.
        inventory: The prices.
    """
    if inventory.is_plain and _UNITS not in amounts:
        return amounts
    return at(amounts, placing.of(pod.spec), inventory)


def at(amounts: Amounts, placement: Placement, inventory: Inventory) -> Amounts:
    """The same for whom it is known where the pod may run; prices that are there already are replaced."""
    found = list(items(amounts, placement, inventory))
    if not found and _UNITS not in amounts:
        return amounts
    units = compute = slots = memory = 0
    for each in found:
        price = each.price or prices.of_gpu(inventory.settings, "", 0)
        if not price.is_gpu:
            continue
        units += each.count
        compute += each.count * price.compute
        slots += each.count * price.memory
        memory += each.count * price.bytes
    priced = {key: amount for key, amount in amounts.items() if key != _UNITS and key not in PRICED}
    for key, amount in ((_UNITS, units), (COMPUTE, compute), (SLOTS, slots), (MEMORY, memory)):
        if amount:
            priced[key] = min(amount, MAX)
    return priced


def again(amounts: Amounts, placement: Placement, inventory: Inventory) -> Amounts:
    """As `at`, remembered for as long as prices stay: for many pods that share their amounts, which never change."""
    key = id(amounts), placement
    known = inventory.memo.get(key)
    if known is None:
        if len(inventory.memo) >= _MOST_REMEMBERED:
            inventory.memo.clear()
        known = inventory.memo[key] = amounts, at(amounts, placement, inventory)
    return known[1]


def items(amounts: Amounts, placement: Placement, inventory: Inventory) -> Iterator[Item]:
    """The GPU resources among a pod's amounts, each with its price; of countless ones nobody looks for it."""
    found = 0
    for name, count in amounts.items():
        if "/" in name and inventory.is_gpu_like(name):
            found += 1
            yield Item(name, count, inventory.price(name, placement) if found <= _MOST_KINDS else None)
