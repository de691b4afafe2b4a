from datetime import timedelta

import pytest

from labquota.quota import world as worlds
from labquota.quota.limits import UNLIMITED
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.world import World
from unit.builders import ALICE, BOB, NOW, group, override, world

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
LATER = "2026-03-01T09:00:00Z"


def chosen(of: World, owner: Owner, *groups: str) -> tuple[str, str]:
    found = of.group_of(owner, groups)
    return (found[0].name, found[1]) if found else ("", "")


def subjects(*names: str, kind: str = "User") -> list[dict[str, str]]:
    return [{"kind": kind, "name": name} for name in names]


def test_a_group_that_names_the_owner_goes_before_a_default_of_any_priority() -> None:
    of = world(group("default", priority=99), group("staff", defaultFor=[], subjects=subjects("alice")))
    assert chosen(of, ALICE) == ("staff", "subject user:alice")
    assert chosen(of, BOB) == ("default", "default for User")


def test_of_several_groups_the_highest_priority_wins_then_the_first_by_name() -> None:
    named = subjects("alice")
    of = world(
        group("c", priority=1, subjects=named),
        group("b", priority=5, subjects=named),
        group("a", priority=5, subjects=named),
    )
    assert chosen(of, ALICE)[0] == "a"
    of.drop_group("a")
    assert chosen(of, ALICE)[0] == "b"
    of.put_group(group("c", priority=6, subjects=named))
    assert chosen(of, ALICE)[0] == "c"
    assert chosen(of, BOB)[0] == "c"


def test_a_users_groups_count_for_users_alone() -> None:
    of = world(group("staff", defaultFor=[], subjects=subjects("oidc:staff", kind="Group")))
    assert chosen(of, ALICE, "oidc:staff") == ("staff", "subject group oidc:staff")
    assert chosen(of, ALICE, "oidc:students") == ("", "")
    assert chosen(of, Owner("serviceaccount:ci/runner"), "oidc:staff") == ("", "")
    assert of.named_groups(["z", "oidc:staff", "a", "oidc:staff"]) == ("oidc:staff",)
    assert world(group()).named_groups(["a"]) == ()


def test_a_service_account_is_named_with_its_namespace() -> None:
    runner = [{"kind": "ServiceAccount", "namespace": "ci", "name": "runner"}]
    of = world(group("ci", defaultFor=[], subjects=runner))
    assert chosen(of, Owner("serviceaccount:ci/runner")) == ("ci", "subject serviceaccount:ci/runner")
    assert chosen(of, Owner("serviceaccount:lab/runner")) == ("", "")
    assert chosen(of, Owner("user:runner")) == ("", "")


def test_namespaces_are_selected_by_their_labels_as_they_are_now() -> None:
    of = world(group("vision", defaultFor=[], namespaceSelector={"matchLabels": {"team": "vision"}}))
    owner = Owner("namespace:lab")
    assert chosen(of, owner) == ("", "")
    of.put_namespace("lab", {"team": "vision"}, {})
    assert chosen(of, owner) == ("vision", "namespaceSelector")
    assert of.limits_of(owner, (), NOW).group == "vision"
    assert chosen(of, Owner("user:lab")) == ("", "")
    of.put_namespace("lab", {}, {})
    assert of.limits_of(owner, (), NOW) == UNLIMITED
    of.put_namespace("lab", {"team": "vision"}, {})
    of.drop_namespace("lab")
    assert of.limits_of(owner, (), NOW) == UNLIMITED


def test_a_default_is_for_its_kinds_and_never_for_kubernetes_own_users() -> None:
    of = world(group(defaultFor=["User", "Namespace"]))
    assert chosen(of, Owner("namespace:lab")) == ("student", "default for Namespace")
    assert chosen(of, Owner("serviceaccount:ci/runner")) == ("", "")
    assert chosen(of, Owner("user:system:node:gpu-1")) == ("", "")
    of.put_group(group("nodes", subjects=subjects("system:node:gpu-1")))
    assert chosen(of, Owner("user:system:node:gpu-1")) == ("nodes", "subject user:system:node:gpu-1")


def test_an_override_begins_and_ends_by_the_clock_whatever_was_remembered() -> None:
    of = world(group(aggregate={"gpu": 3}), override(aggregate={"gpu": 9}, notBefore=LATER))
    of.put_override(override("soon", aggregate={"gpu": 5}, expiresAt=LATER))

    def most(at: timedelta) -> int | None:
        return of.limits_of(ALICE, (), NOW + at).aggregate["gpu"].amount

    assert of.limits_of(BOB, (), NOW).aggregate["gpu"].amount == 3
    assert most(timedelta(0)) == 5
    assert most(HOUR - SECOND) == 5
    assert of.next_change(NOW) == NOW + HOUR
    assert most(HOUR) == 9
    assert of.next_change(NOW + HOUR) is None
    of.drop_override("deadline")
    assert most(HOUR) == 3


def test_an_answer_is_remembered_until_something_changes() -> None:
    of = world(group(aggregate={"gpu": 3}))
    first = of.limits_of(ALICE, (), NOW)
    assert of.limits_of(ALICE, (), NOW + HOUR) is first
    of.put_group(group(aggregate={"gpu": 4}))
    assert of.limits_of(ALICE, (), NOW).aggregate["gpu"].amount == 4
    of.drop_group("student")
    assert of.limits_of(ALICE, (), NOW) == UNLIMITED


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "_MOST_REMEMBERED", 5)
    of = world(group(aggregate={"gpu": 3}))
    for number in range(23):
        assert of.limits_of(Owner(f"user:{number}"), (), NOW).group == "student"
    assert len(of._answers) <= 5  # noqa: SLF001  what is bounded is not to be seen from outside


def test_an_override_alone_limits_an_owner_whom_no_group_matches() -> None:
    of = world(override(aggregate={"gpu": 5}))
    found = of.limits_of(ALICE, (), NOW)
    assert (found.group, found.enforcement, found.reserves) == (None, "Enforce", True)
    assert of.limits_of(BOB, (), NOW) == UNLIMITED


def test_an_override_whose_owner_cannot_be_read_applies_to_nobody() -> None:
    of = world(group(aggregate={"gpu": 3}), override(owner="alice", aggregate={"gpu": 5}))
    assert of.limits_of(ALICE, (), NOW).aggregate["gpu"].amount == 3


def test_a_ledger_keeps_what_is_built_in_or_limited_and_no_name_that_anybody_may_invent() -> None:
    of = world(group(aggregate={"example.com/fpga": 1}))
    assert all(map(of.keeps, ["pods", "gpu", "requests.cpu", "example.com/fpga"]))
    invented = ["example.com/other", "nvidia.com/mig-99g.7gb", "nvidia.com/odd", "requests.hugepages-3Ki"]
    assert not any(map(of.keeps, invented))
    of.put_override(override(perPod={"example.com/other": "unlimited"}))
    assert of.keeps("example.com/other")
    of.drop_override("deadline")
    assert not of.keeps("example.com/other")


def test_a_stored_pods_owner_follows_its_namespace_where_it_has_no_stamp() -> None:
    of = world()
    assert of.owner_of({}, "lab") == "namespace:lab"
    before = of.owners_revision
    of.put_namespace("lab", {}, {OWNER_ANNOTATION: "user:bob"})
    assert of.owner_of({}, "lab") == BOB
    assert of.owner_of({OWNER_ANNOTATION: ALICE}, "lab") == ALICE
    assert of.owners_revision > before
    again = of.owners_revision
    of.put_namespace("lab", {}, {OWNER_ANNOTATION: "user:bob"})
    assert of.owners_revision == again


def test_the_revision_moves_with_each_change_and_with_the_boundaries_of_overrides() -> None:
    of = world(group(aggregate={"gpu": 1}), override(aggregate={"gpu": 2}, expiresAt=LATER))
    of.limits_of(ALICE, (), NOW)
    first = of.revision(NOW)
    assert of.revision(NOW + HOUR - SECOND) == first
    ended = of.revision(NOW + HOUR)
    assert ended > first
    assert of.revision(NOW + HOUR + HOUR) == ended
    of.put_group(group(aggregate={"gpu": 3}))
    edited = of.revision(NOW)
    of.put_namespace("lab", {}, {})
    assert ended < edited < of.revision(NOW)
    same = of.revision(NOW)
    of.put_namespace("lab", {}, {})
    assert of.revision(NOW) == same
