"""What a stored pod holds, reckoned from its JSON with arithmetic of our own: labquota's is what is on trial.

As much of it as the pods of a storm need: containers alone, in milli-cores, bytes and whole devices.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

__all__ = ["FREE", "Amounts", "add", "number", "of", "over"]

Amounts = dict[str, int]

FREE = ("Succeeded", "Failed")
_SUFFIXES = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
}
_GPUS = ("nvidia.com/gpu", "nvidia.com/mig-")


def of(pod: Mapping[str, Any]) -> Amounts:
    """What a pod holds while it is there, by canonical resource; nothing once it has finished.

    A container that is being resized holds the most of what is asked, promised and running, as the scheduler has it.
    """
    status = pod.get("status") or {}
    if status.get("phase") in FREE:
        return {}
    states = {each["name"]: each for each in status.get("containerStatuses") or ()}
    sums: Counter[str] = Counter({"pods": 1})
    for container in pod["spec"]["containers"]:
        state = states.get(container["name"], {})
        running = state.get("resources") or {}
        asked = container.get("resources") or {}
        requests = _most(asked.get("requests"), state.get("allocatedResources"), running.get("requests"))
        limits = _most(asked.get("limits"), running.get("limits"))
        for side, amounts in (("requests", requests), ("limits", limits)):
            for resource in ("cpu", "memory"):
                sums[f"{side}.{resource}"] += _base(resource, amounts.get(resource, Fraction()))
        for resource, amount in requests.items():
            if "/" in resource:
                sums[resource] += math.ceil(amount)
                sums["gpu"] += math.ceil(amount) if resource.startswith(_GPUS) else 0
    return {resource: amount for resource, amount in sums.items() if amount}


def add(held: Iterable[Amounts]) -> Amounts:
    """The sum of what several pods hold."""
    sums: Counter[str] = Counter()
    for amounts in held:
        sums.update(amounts)
    return dict(sums)


def over(held: Mapping[str, int], limits: Amounts) -> Amounts:
    """Of the resources that have a limit, those that are above it, with the amount held."""
    return {resource: held[resource] for resource, most in limits.items() if held.get(resource, 0) > most}


def number(text: str) -> Fraction:
    """A quantity as the API server writes it."""
    digits = text.rstrip("mkKMGTi")
    return Fraction(digits) * _SUFFIXES[text[len(digits) :]]


def _most(*each: Mapping[str, str] | None) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for amounts in each:
        for resource, text in (amounts or {}).items():
            found[resource] = max(found.get(resource, Fraction()), number(text))
    return found


def _base(resource: str, amount: Fraction) -> int:
    return math.ceil(amount * 1000) if resource == "cpu" else math.ceil(amount)
