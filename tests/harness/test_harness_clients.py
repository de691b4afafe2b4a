"""The fast client and the world, on a control plane without labquota."""

import asyncio

from controlplane import ControlPlane
from harness import AsyncClient, World, manifests
from harness.clients import pods

HELD = {"controlplane/hold": "true"}


async def test_many_clients_create_at_once_and_a_watch_sees_it_all(control_plane: ControlPlane) -> None:
    with World(control_plane) as world:
        alice, where = world.user("alice", ("students",)), world.namespace()
        async with world.client(alice) as client:
            seen: set[str] = set()

            async def watch() -> None:
                async for event in client.watch(pods(where), resourceVersion="0"):
                    seen.add(event["object"]["metadata"]["name"])
                    if len(seen) == 100:
                        return

            watching = asyncio.create_task(watch())
            made = [manifests.pod(f"p{number}", where, cpu="1m", annotations=HELD) for number in range(100)]
            answers = await asyncio.gather(*(client.create_pod(each) for each in made))
            assert {answer.status for answer in answers} == {201}
            await asyncio.wait_for(watching, 10)
            assert len(await client.list(pods(where))) == 100
    assert control_plane.client.get(pods(where))["items"] == []


async def test_a_refusal_carries_its_message_and_its_causes(control_plane: ControlPlane) -> None:
    with World(control_plane) as world:
        where = world.namespace()
        async with world.client(world.user("alice")) as client:
            answer = await client.create_pod(manifests.pod("Not_A_Name", where))
    assert answer.status == 422
    assert answer.message.startswith('Pod "Not_A_Name" is invalid: metadata.name')
    assert answer.causes[0]["field"] == "metadata.name"


async def test_a_warning_is_read_as_kubectl_prints_it(control_plane: ControlPlane) -> None:
    with World(control_plane) as world:
        where = world.namespace(labels={"pod-security.kubernetes.io/warn": "restricted"})
        async with world.client(world.user("alice")) as client:
            answer = await client.create_pod(manifests.pod("a", where, annotations=HELD))
    assert answer.ok
    assert len(answer.warnings) == 1
    assert answer.warnings[0].startswith('would violate PodSecurity "restricted:latest"')


async def test_a_running_pod_is_resized_and_its_status_written(control_plane: ControlPlane) -> None:
    with World(control_plane) as world:
        where = world.namespace()
        async with AsyncClient(control_plane.admin) as admin:
            await admin.create_pod(manifests.pod("a", where, cpu="100m", memory="64Mi", annotations=HELD))
            resized = await admin.resize_pod(where, "a", manifests.resize({"main": {"cpu": "200m"}}))
            assert resized.body["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "200m", resized
            failed = await admin.patch_status(where, "a", {"phase": "Failed"})
            assert failed.body["status"]["phase"] == "Failed", failed


def test_two_worlds_share_no_name(control_plane: ControlPlane) -> None:
    with World(control_plane) as one, World(control_plane) as other:
        assert one.namespace() != other.namespace()
        assert one.user("alice").name != other.user("alice").name
