"""How a GPUNode is made, kept and renewed, with as few writes as there are changes."""

import datetime as dt
from typing import Any

import msgspec

from labquota.agent import conditions, summing
from labquota.agent.conditions import Statement
from labquota.agent.writing import HEARTBEAT_SECONDS, PATH, Writer
from labquota.api import GPU, DeviceHolder, DeviceProcess, GPUNodeStatus, GPUNodeSummary, MigDevice
from unit.fake_api import FakeApi, refuse, reply, serving

ONE = GPUNodeStatus(driver_version="570", gpus=(GPU(index=0, uuid="GPU-a"),))
TWO = msgspec.structs.replace(ONE, driver_version="580")


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 3, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self.seconds)


def stored(status: GPUNodeStatus | None = None) -> Any:
    """The object as the API server answers it."""
    body: dict[str, Any] = {"metadata": {"name": "n1"}}
    return reply(body if status is None else {**body, "status": msgspec.to_builtins(status)})


def calls(fake: FakeApi) -> list[str]:
    return [f"{each.method} {each.path.removeprefix(PATH)}" for each in fake.requests]


def body(fake: FakeApi, number: int = -1) -> Any:
    return msgspec.json.decode(fake.bodies[number])


async def test_a_missing_object_is_made_for_its_node_and_then_written_whole() -> None:
    async with serving() as fake:
        writer = Writer(fake.api, "n1", Hand())
        fake.script(refuse(404, "NotFound", "none"), stored(), stored(ONE))
        await writer.load()
        assert await writer.write(ONE, "node-uid")
        assert calls(fake) == ["GET /n1", "POST ", "PATCH /n1/status"]
        assert body(fake, 1)["metadata"]["ownerReferences"] == [
            {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "node-uid"}
        ]
        assert set(body(fake)["status"]) >= {"driverVersion", "gpus", "holders", "lastScanTime", "summary"}


async def test_nothing_is_written_while_nothing_changes_but_a_heartbeat_each_minute() -> None:
    async with serving() as fake:
        clock = Hand()
        writer = Writer(fake.api, "n1", clock)
        fake.script(stored(ONE), *[stored(ONE)] * 5)
        await writer.load()
        assert await writer.write(ONE), "the first of this process says that it lives"
        for _ in range(int(HEARTBEAT_SECONDS) - 1):
            clock.seconds += 1
            assert not await writer.write(ONE)
        clock.seconds += 1
        assert await writer.write(ONE)
        assert body(fake) == {"status": {"lastScanTime": "2026-03-01T00:01:00Z"}}
        assert writer.writes == 2


async def test_a_change_is_written_with_the_fields_that_differ() -> None:
    async with serving() as fake:
        writer = Writer(fake.api, "n1", Hand())
        fake.script(stored(ONE), stored(TWO), stored(ONE))
        await writer.load()
        assert await writer.write(TWO)
        assert body(fake) == {"status": {"lastScanTime": "2026-03-01T00:00:00Z", "driverVersion": "580"}}
        assert await writer.write(ONE)
        assert writer.stored.driver_version == "570"


async def test_an_object_that_somebody_deletes_comes_back_whole() -> None:
    async with serving() as fake:
        writer = Writer(fake.api, "n1", Hand())
        fake.script(stored(ONE), refuse(404, "NotFound", "gone"), stored(), stored(TWO))
        await writer.load()
        await writer.write(TWO)
        assert calls(fake) == ["GET /n1", "PATCH /n1/status", "POST ", "PATCH /n1/status"]
        assert body(fake)["status"]["gpus"][0]["uuid"] == "GPU-a"


async def test_an_object_that_appears_meanwhile_is_taken_over() -> None:
    async with serving() as fake:
        writer = Writer(fake.api, "n1", Hand())
        fake.script(refuse(404, "NotFound", "none"), refuse(409, "AlreadyExists", "there"), stored(ONE))
        await writer.load()
        assert await writer.write(ONE)
        assert calls(fake)[1:] == ["POST ", "PATCH /n1/status"]


async def test_what_somebody_else_writes_into_it_is_put_right_at_the_next_heartbeat() -> None:
    async with serving() as fake:
        clock = Hand()
        writer = Writer(fake.api, "n1", clock)
        fake.script(stored(ONE), stored(ONE), stored(TWO), stored(ONE), stored(ONE))
        await writer.load()
        await writer.write(ONE)
        clock.seconds += HEARTBEAT_SECONDS
        await writer.write(ONE)
        assert await writer.write(ONE)
        assert body(fake)["status"]["driverVersion"] == "570"
        assert not await writer.write(ONE)


async def test_an_older_definition_that_drops_fields_is_not_written_again_and_again() -> None:
    async with serving() as fake:
        clock = Hand()
        writer = Writer(fake.api, "n1", clock)
        fake.script(refuse(404, "NotFound", "none"), stored(), *[stored(TWO)] * 3)
        await writer.load()
        await writer.write(ONE)
        clock.seconds += HEARTBEAT_SECONDS
        assert await writer.write(ONE)
        assert body(fake) == {"status": {"lastScanTime": "2026-03-01T00:01:00Z"}}
        assert not await writer.write(ONE)


async def test_what_another_version_wrote_and_nobody_can_read_is_written_anew() -> None:
    async with serving() as fake:
        writer = Writer(fake.api, "n1", Hand())
        fake.script(
            reply({"metadata": {}, "status": {"gpus": "many"}}), refuse(409, "AlreadyExists", ""), stored(ONE)
        )
        await writer.load()
        assert await writer.write(ONE)
        assert "gpus" in body(fake)["status"]


def test_a_condition_moves_its_time_only_with_its_status() -> None:
    first, later = Hand().now(), Hand().now() + dt.timedelta(hours=1)
    (one,) = conditions.settle((), [Statement("Stale", "False", "Scanned", "fine")], first)
    (two,) = conditions.settle([one], [Statement("Stale", "False", "Scanned", "still fine")], later)
    (three,) = conditions.settle([two], [Statement("Stale", "True", "DriverNotLoaded", "no")], later)
    assert (two.last_transition_time, two.message) == (first, "still fine")
    assert three.last_transition_time == later


def test_the_columns_count_models_devices_and_what_is_wrong() -> None:
    slices = tuple(
        MigDevice(uuid=f"MIG-{gi}", gpu_instance=gi, compute_instance=0, profile=profile)
        for gi, profile in ((1, "3g.20gb"), (7, "1g.5gb"), (8, "1g.5gb"))
    )
    model = "NVIDIA A100-SXM4-40GB"
    gpus = [
        GPU(index=0, uuid="GPU-a", model=model, mig_mode="Disabled", pending_mig_mode="Enabled"),
        GPU(
            index=1,
            uuid="GPU-b",
            model=model,
            mig_mode="Enabled",
            pending_mig_mode="Enabled",
            mig_devices=slices,
        ),
        GPU(index=2, uuid="GPU-c", model=model, mig_mode="Enabled", pending_mig_mode="Enabled"),
        GPU(index=3, uuid="GPU-d", model="NVIDIA L4", health="Lost"),
    ]
    holders = [
        DeviceHolder(resource="x", device="GPU-a::0", gpu="GPU-a"),
        DeviceHolder(resource="x", device="GPU-a::1", gpu="GPU-a"),
        DeviceHolder(resource="x", device="MIG-7", gpu="GPU-b", gpu_instance=7, compute_instance=0),
        DeviceHolder(resource="x", device="old"),
    ]
    found = summing.summary(gpus, holders, [DeviceProcess(gpu="GPU-a")], ["no NVML"])
    assert found == GPUNodeSummary(
        models=f"3 x {model}, 1 x NVIDIA L4",
        devices="2 whole, 2 x 1g.5gb, 1 x 3g.20gb",
        held="2/5",
        problems="1 lost, 1 to reset, 1 unaccounted, no NVML",
    )


def test_a_node_in_mig_mode_without_instances_offers_nothing() -> None:
    found = summing.summary([GPU(index=0, uuid="GPU-a", mig_mode="Enabled")], (), (), ())
    assert (found.devices, found.held) == ("", "0/0")
