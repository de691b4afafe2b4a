"""What a schema cannot see shows in a condition of the object, and breaks no enforcement."""

from typing import Any

from cluster.steps import fill, held, line, settled
from controlplane.process import wait_until
from harness import World, manifests

KINDS = "/apis/labquota.dev/v1alpha1"


def status(world: World, plural: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = world.plane.client.get(f"{KINDS}/{plural}/{name}")
    return dict(found.get("status", {}))


def ready(world: World, plural: str, name: str) -> tuple[str, str, str]:
    """Status, reason and message of the condition Ready; empty while there is none."""
    for condition in status(world, plural, name).get("conditions", []):
        if condition["type"] == "Ready":
            assert condition["observedGeneration"] == 1
            return condition["status"], condition["reason"], condition.get("message", "")
    return "", "", ""


async def test_two_default_groups_show_in_both_and_the_higher_priority_decides(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    one = world.group("one", default_for=["User"], aggregate={"gpu": 1})
    assert ready(world, "resourcelimitgroups", one) == ("True", "Accepted", "")
    two = world.group("two", default_for=["User"], priority=1, aggregate={"gpu": 2})
    expected = (
        "False",
        "Problems",
        f"spec.defaultFor: User has several default groups ({one}, {two}); {two} decides",
    )
    for name in (one, two):
        assert wait_until(lambda: ready(world, "resourcelimitgroups", name) == expected, 5), name  # noqa: B023  called in this turn alone
    async with world.client(alice) as client:
        answer = await client.create_pod(held("a", where, gpu=3))
        assert f"used 0 of 2 GPU units (ResourceLimitGroup/{two})" in line(answer)
        world.forget(manifests.group(two))
        assert wait_until(lambda: ready(world, "resourcelimitgroups", one) == ("True", "Accepted", ""), 5)
        answer = await client.create_pod(held("a", where, gpu=3))
        assert f"used 0 of 1 GPU units (ResourceLimitGroup/{one})" in line(answer)


async def test_an_override_of_no_owner_shows_so_and_enforcement_goes_on(world: World) -> None:
    alice, where = world.user("alice"), world.namespace()
    group = world.group("student", subjects=[world.owner(alice)], aggregate={"gpu": 1})
    override = world.override("typo", alice.name, aggregate={"gpu": 9})
    text = (
        f'spec.owner: owner "{alice.name}" is not of the form user:NAME, serviceaccount:NAMESPACE/NAME '
        "or namespace:NAME"
    )
    assert ready(world, "resourcelimitoverrides", override) == ("False", "Problems", text)
    async with world.client(alice) as client:
        answer = await client.create_pod(held("a", where, gpu=2))
        assert f"used 0 of 1 GPU units (ResourceLimitGroup/{group})" in line(answer)
        await fill(client, held("a", where, gpu=1))


async def test_what_is_priced_is_enforced_and_needs_no_word(world: World) -> None:
    name = world.group("student", aggregate={"gpu-equivalents": "2", "gpu-memory": "80Gi"})
    assert ready(world, "resourcelimitgroups", name) == ("True", "Accepted", "")


async def test_a_group_counts_its_owners_and_those_over_their_limit(world: World) -> None:
    alice, bob, where = world.user("alice"), world.user("bob"), world.namespace()
    owners = [world.owner(alice), world.owner(bob)]
    name = world.group("student", subjects=owners, aggregate={"gpu": 3})
    for user, count in ((alice, 1), (bob, 3)):
        async with world.client(user) as client:
            await fill(client, held(user.name, where, gpu=count))
        settled(world, world.owner(user), 1)

    def counts() -> tuple[int, int]:
        found = status(world, "resourcelimitgroups", name)
        return found.get("owners", 0), found.get("overLimit", 0)

    assert wait_until(lambda: counts() == (2, 0), 6), counts()
    world.group("student", subjects=owners, aggregate={"gpu": 2})
    assert wait_until(lambda: counts() == (2, 1), 6), counts()
    condition = next(each for each in world.usage(owners[1])["conditions"] if each["type"] == "OverLimit")
    assert (condition["status"], condition["message"]) == ("True", "holds more than allowed of: gpu")


def test_an_overrides_phase_follows_the_clock(world: World) -> None:
    alice = world.owner(world.user("alice"))
    past, future = "2001-01-01T00:00:00Z", "2901-01-01T00:00:00Z"
    for name, fields, phase in (
        ("ended", {"expires_at": past}, "Expired"),
        ("planned", {"not_before": future}, "Pending"),
        ("running", {"not_before": past, "expires_at": future}, "Active"),
    ):
        made = world.override(name, alice, aggregate={"gpu": 1}, **fields)
        assert status(world, "resourcelimitoverrides", made)["phase"] == phase
