"""Which fault strikes what, and when: a pure function of seed and duration.

Faults are dealt like cards. A deck holds every kind of fault for every process and every link once, so that a storm
that is long enough has had them all, and a longer one has them again in another order.
"""

import dataclasses
import random
from collections.abc import Iterator

from storm.faults import Fault, Shape, deck

__all__ = ["LANES", "REST", "WARM", "deal"]

LANES = 3
"""So many faults strike at once."""
WARM = 2.0
"""Seconds without a fault at the beginning, so that there is something to break."""
REST = 2.0
"""Seconds between two faults of one process: what was held up goes on, and no two add up to more than a reservation's
time."""


def deal(seed: int, seconds: float, shape: Shape | None = None) -> list[Fault]:
    """The faults of one storm, in order; none lasts beyond its end."""
    chance, shape = random.Random(seed), shape or Shape()
    cards = _cards(chance, shape)
    lanes = [WARM] * LANES
    free = dict.fromkeys(shape.processes(), WARM)
    waiting: list[Fault] = []
    dealt: list[Fault] = []
    while True:
        lane = min(range(LANES), key=lanes.__getitem__)
        now = lanes[lane]
        if now >= seconds - WARM:
            return sorted(dealt, key=lambda fault: fault.at)
        card = _next(waiting, cards, free, now)
        if card is None:
            lanes[lane] = now + 0.5
            continue
        fault = dataclasses.replace(card, at=now, seconds=min(card.seconds, seconds - now))
        dealt.append(fault)
        lanes[lane] = fault.ends + chance.uniform(0.1, 1.5)
        for name in fault.struck:
            free[name] = fault.ends + REST


def _next(waiting: list[Fault], cards: Iterator[Fault], free: dict[str, float], now: float) -> Fault | None:
    """The first card whose processes are whole now; those that are passed over keep their place."""
    for at, card in enumerate(waiting):
        if all(free[name] <= now for name in card.struck):
            return waiting.pop(at)
    while len(waiting) < 2 * len(free):
        card = next(cards)
        if all(free[name] <= now for name in card.struck):
            return card
        waiting.append(card)
    return None


def _cards(chance: random.Random, shape: Shape) -> Iterator[Fault]:
    while True:
        cards = deck(chance, shape)
        chance.shuffle(cards)
        yield from cards
