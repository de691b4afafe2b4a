"""Storms with everything around them killed, frozen, cut off and slowed: one that may let nothing pass, one as shipped.

`STORM_SECONDS` is how long each of the two lasts. For longer ones there is `make storm SECONDS=600 SEED=7`.
"""

import os
from collections.abc import Iterator

import pytest

from storm import AS_SHIPPED, STRICT, Outcome, Site
from storm.faults import KILL, PAUSE
from storm.links import Mode

SECONDS = float(os.environ.get("STORM_SECONDS", "60"))
SEEDS = {STRICT: 2, AS_SHIPPED: 5}

pytestmark = pytest.mark.timeout(SECONDS + 240)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Two API servers, three replicas and two operators, all of them wired through what can be cut."""
    with Site() as wired:
        yield wired


@pytest.mark.parametrize("profile", [STRICT, AS_SHIPPED])
async def test_whatever_breaks_nobody_gets_past_a_limit_and_every_ledger_is_true_in_the_end(
    site: Site, profile: str
) -> None:
    outcome = await site.round(SEEDS[profile], SECONDS, profile)
    assert outcome.violations == [], f"{outcome.how_to_repeat}\n{outcome.report}"
    _something_happened(outcome)


def _something_happened(outcome: Outcome) -> None:
    """A storm in which nothing was tried proves nothing."""
    seen, said = outcome.coverage, outcome.report
    assert set(outcome.faults) == {KILL, PAUSE, Mode.CUT, Mode.STALL, Mode.MUTE, Mode.SLOW}, said
    assert seen["versions of pods"] > 10 * SECONDS, said
    assert seen["versions of ledgers"] > 5 * SECONDS, said
    for word in ("create 201", "create 403", "create (dry run) 201", "resize 200", "resize to less 200"):
        assert seen.get(word, 0) > SECONDS / 10, f"{word}: {said}"
    # an API server says so of nearly every pod that was let pass because nobody answered
    passed = [word for word in seen if word.endswith(" unjudged")]
    assert bool(passed) == (outcome.profile == AS_SHIPPED), said
