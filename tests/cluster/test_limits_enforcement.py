"""Enforce, Warn and Off: what is refused, what is only said, and that the books are kept in between."""

from cluster.steps import codes, fill, held, line, refused_soon, settled
from harness import World


async def test_under_warn_a_pod_over_the_limit_passes_with_a_warning_and_is_charged(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    group = world.group("student", subjects=[owner], aggregate={"gpu": 1}, enforcement="Warn")
    async with world.client(alice) as client:
        await fill(client, held("one", where, gpu=1))
        answer = await client.create_pod(held("two", where, gpu=2))
        assert answer.status == 201
        (warning,) = answer.warnings
        assert warning == (
            f"labquota would refuse this: AGGREGATE_GPU_QUOTA_EXCEEDED: {owner} asked gpu 2, "
            f"used 1 of 1 GPU units (ResourceLimitGroup/{group}), 0 still fit"
        )
        ledger = world.ledger(owner) or ""
        assert f" {where} two " in ledger or "gpu=3" in ledger, (
            "reserved by the time of the answer, then folded"
        )
        world.group("student", subjects=[owner], aggregate={"gpu": 1}, enforcement="Enforce")
        refusal = await refused_soon(client, held("three", where, gpu=1))
    assert "asked gpu 1, used 3 of 1 GPU units" in line(refusal)
    settled(world, owner, 2)
    assert world.usage(owner)["used"]["gpu"] == "3"
    assert world.usage(owner)["overLimit"] == ["gpu"]


async def test_under_warn_the_reasons_without_a_number_are_warnings_too(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    world.group("student", subjects=[owner], aggregate={"cpu": 1}, per_pod={"gpu": 1}, enforcement="Warn")
    async with world.client(alice) as client:
        answer = await client.create_pod(held("one", where, gpu=2))
    assert answer.status == 201
    assert [warning.split(": ")[1] for warning in answer.warnings] == ["REQUEST_REQUIRED", "USER_AT_LIMIT"]
    assert all(warning.startswith("labquota would refuse this: ") for warning in answer.warnings)


async def test_off_judges_nothing_and_says_nothing(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    world.group(
        "student", subjects=[owner], aggregate={"gpu": 1, "cpu": 1}, per_pod={"gpu": 1}, enforcement="Off"
    )
    async with world.client(alice) as client:
        answer = await client.create_pod(held("one", where, gpu=5))
    assert (answer.status, answer.warnings) == (201, ())
    settled(world, owner, 1)
    assert world.usage(owner)["used"]["gpu"] == "5", "what stands is counted all the same"
    assert world.usage(owner)["enforcement"] == "Off"


async def test_from_80_per_cent_on_an_answer_carries_a_warning(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    group = world.group("student", subjects=[owner], aggregate={"gpu": 10, "cpu": 100})
    async with world.client(alice) as client:
        quiet = await client.create_pod(held("one", where, gpu=7, cpu=1))
        warned = await client.create_pod(held("two", where, gpu=1, cpu=1))
        other = await client.create_pod(held("three", where, cpu=1))
        full = await client.create_pod(held("four", where, gpu=2, cpu=77))
    assert (quiet.status, quiet.warnings) == (201, ())
    assert warned.warnings == (
        f"labquota: {owner} now uses gpu 8 of 10 GPU units (ResourceLimitGroup/{group})",
    )
    assert other.warnings == (), "a pod that asks for no GPU is told nothing of GPUs"
    assert full.warnings == (
        f"labquota: {owner} now uses gpu 10 of 10 GPU units (ResourceLimitGroup/{group})",
        f"labquota: {owner} now uses requests.cpu 80 of 100 cores (ResourceLimitGroup/{group})",
    )


async def test_a_refusal_repeats_at_once_and_never_invites_the_client_to_retry(world: World) -> None:
    alice = world.user("alice")
    owner, where = world.owner(alice), world.namespace()
    world.group("student", subjects=[owner], aggregate={"gpu": 0})
    async with world.client(alice) as client:
        for _ in range(3):
            answer = await client.create_pod(held("one", where, gpu=1))
            assert codes(answer) == ["AGGREGATE_GPU_QUOTA_EXCEEDED"]
            assert "retryAfterSeconds" not in answer.body["details"]
