"""labquota as the harness installs it: all replicas are asked, and each process can be broken by itself."""

import asyncio

from controlplane import ControlPlane
from controlplane.process import wait_until
from harness import Installation, World, manifests, probe

WEBHOOK = "pods.labquota.dev"
HELD = {"controlplane/hold": "true"}


def answers(installation: Installation, replica: int) -> float:
    metrics = installation.metrics(f"webhook-{replica}")
    return sum(value for key, value in metrics.items() if key.startswith("labquota_admission_requests_total"))


async def create(world: World, count: int) -> list[int]:
    """Create pods all at once as a user whom no group limits; returns the statuses."""
    alice, where = world.user("alice"), world.namespace()
    async with world.client(alice) as client:
        made = [manifests.pod(f"p{number}", where, cpu="1m", annotations=HELD) for number in range(count)]
        return [answer.status for answer in await asyncio.gather(*(client.create_pod(each) for each in made))]


async def test_all_replicas_behind_the_one_port_are_asked(installation: Installation, world: World) -> None:
    before = [answers(installation, replica) for replica in range(2)]
    assert set(await create(world, 64)) == {201}
    asked = [answers(installation, replica) - old for replica, old in enumerate(before)]
    assert sum(asked) >= 64
    assert min(asked) > 0, f"one replica got everything: {asked}"


async def test_with_one_replica_killed_the_other_answers(
    control_plane: ControlPlane, installation: Installation, world: World
) -> None:
    installation.webhook(0).kill()
    try:
        await create(
            world, 16
        )  # connections to the dead one are found dead by their use, which is not repeated
        before = probe.failed_open(control_plane.client, WEBHOOK), answers(installation, 1)
        async with world.client(world.user("alice")) as client:
            one = await client.create_pod(manifests.pod("one", world.name("ns"), cpu="1m", annotations=HELD))
        assert one.ok, one
        after = probe.failed_open(control_plane.client, WEBHOOK), answers(installation, 1)
        assert after == (before[0], before[1] + 1)
    finally:
        installation.webhook(0).restart()


def test_without_a_registration_no_pod_asks_the_webhook(installation: Installation, world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    world.group("none", subjects=[world.owner(alice)], aggregate={"pods": 0})
    pod, path = manifests.pod("a", where), f"/api/v1/namespaces/{where}/pods?dryRun=All"
    status, answer = alice.client().call("POST", path, pod)
    assert (status, answer["message"].split(": ")[1]) == (403, "AGGREGATE_PODS_QUOTA_EXCEEDED")
    installation.unregister()
    try:
        assert wait_until(lambda: alice.client().call("POST", path, pod)[0] == 201, 5)
    finally:
        installation.register()
