"""labquota's requests have a priority level of their own, so that the creates which wait for it cannot starve it."""

import re

from controlplane import ControlPlane
from controlplane.process import wait_until
from harness import World, storming
from harness.storming import all_at_once, tally

DISPATCHED = re.compile(r"^apiserver_flowcontrol_dispatched_requests_total\{(.*)\} (\S+)$", re.MULTILINE)
LABELS = re.compile(r'(\w+)="([^"]*)"')


def dispatched(plane: ControlPlane) -> dict[tuple[str, str], float]:
    """How many requests the API server has let through, by flow schema and priority level."""
    text: str = plane.client.get("/metrics")
    found: dict[tuple[str, str], float] = {}
    for labels, number in DISPATCHED.findall(text):
        named = dict(LABELS.findall(labels))
        key = named["flow_schema"], named["priority_level"]
        found[key] = found.get(key, 0) + float(number)
    return found


async def test_labquotas_own_requests_go_through_its_own_priority_level(
    control_plane: ControlPlane, world: World
) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("students", subjects=[world.owner(alice)], aggregate={"pods": 10})
    before = dispatched(control_plane)
    creates = [(alice, storming.pod(f"p{number}", where)) for number in range(20)]
    assert tally(await all_at_once(creates, clients=1))["201"] == 10

    def grown() -> dict[tuple[str, str], float]:
        after = dispatched(control_plane)
        return {key: number - before.get(key, 0) for key, number in after.items()}

    # One client at a time: a swap for each pod, a quorum read for each refusal, folds besides.
    assert wait_until(lambda: grown().get(("labquota", "labquota"), 0) >= 20, 10), grown()
    assert {key for key in grown() if "labquota" in key} == {("labquota", "labquota")}
    assert sum(number for (schema, _), number in grown().items() if schema != "labquota") >= 20, (
        "alice's creates"
    )
