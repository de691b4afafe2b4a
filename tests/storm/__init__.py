"""Storms on real parts: 64 clients while everything around them is killed, frozen, cut off and slowed, by a seed.

with Site() as site:
    outcome = await site.round(seed=7, seconds=60)
    assert outcome.violations == [], outcome.report

`python -m storm --seconds 600 --seed 7` goes on for longer. What is checked stands in `checker`.
"""

from storm.outcome import Outcome
from storm.rounds import AS_SHIPPED, STRICT, Site

__all__ = ["AS_SHIPPED", "STRICT", "Outcome", "Site"]
