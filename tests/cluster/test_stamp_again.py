"""Stamping among other webhooks, on what is stamped already, and while labquota is away; in both ways of stamping."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.attackers import appear, entitle, reference, stamp, workload
from cluster.meddler import MARK, meddling
from cluster.stamped import account, gadget, labels, make, owners
from cluster.steps import held
from controlplane.process import wait_until
from harness import CONTROLLER, World, probe
from harness.clients import pods
from harness.manifests import Manifest


@pytest.mark.parametrize("name", ["a-meddler", "z-meddler"])
async def test_another_webhook_before_or_after_changes_no_owner(
    lab: World, name: str, tmp_path: Path
) -> None:
    alice, where = lab.user("alice"), lab.namespace()
    entitle(lab, alice, ["create"], "gadgets.example.org")
    parent, operator = make(lab, alice, gadget(lab, "one", where)), account(lab, CONTROLLER)
    runner = make(lab, alice, _account("runner", where))
    acting = lab.plane.service_account(where, runner["metadata"]["name"], role="edit")
    with meddling(lab.plane, name, tmp_path, where):
        direct = make(lab, alice, held("direct", where))
        through = make(lab, acting, held("through", where))
        operated = held("operated", where)
        operated["metadata"]["ownerReferences"] = [reference(parent)]
        operated = make(lab, operator, operated)
        for each in (direct, through, operated):
            assert each["metadata"]["annotations"][MARK] == name
            assert (owners(each), labels(each)) == ([lab.owner(alice)], [alice.name])
        make(lab, acting, workload("Deployment", "web", where, replicas=2))
        async with lab.client() as admin:
            assert await appear(admin, where, 5) == [lab.owner(alice)] * 5


def test_what_is_stamped_already_is_stamped_the_same(lab: World) -> None:
    alice, where = lab.user("alice"), lab.namespace()
    for kind in ("Pod", "Deployment", "CronJob"):
        first = held("one", where) if kind == "Pod" else workload(kind, "one", where, replicas=0)
        stored = make(lab, alice, first)
        again = copy.deepcopy(stored)
        kept = ("namespace", "annotations", "labels")
        again["metadata"] = {key: value for key, value in stored["metadata"].items() if key in kept}
        again["metadata"]["name"] = "two"
        again.pop("status")
        again["spec"].pop("nodeName", None)
        copied = make(lab, alice, again)
        assert (owners(copied), labels(copied)) == (owners(stored), labels(stored))


def test_asking_the_webhook_twice_says_the_same_twice(lab: World) -> None:
    """As the API server does where another one's change makes it ask again."""
    alice, where = lab.user("alice"), lab.namespace()
    make(lab, alice, _account("runner", where))
    runner = lab.plane.service_account(where, "runner", role="edit")
    configurations = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    twin = lab.plane.client.get(f"{configurations}/labquota-owners")
    twin |= {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    twin["metadata"] = {"name": lab.name("twin")}
    twin["webhooks"][0] |= {
        "name": "twin.labquota.dev",
        "reinvocationPolicy": "IfNeeded",
        "matchConditions": [],
    }
    before = probe.calls(lab.plane.client, "twin.labquota.dev")
    lab.apply(twin)
    assert wait_until(lambda: _asked(lab, where, before), 15)
    for user in (alice, runner):
        stored = make(lab, user, workload("Deployment", f"of-{len(user.name)}", where, replicas=0))
        assert owners(stored) == [lab.owner(alice)] * 2
        stored = make(lab, user, held(f"of-{len(user.name)}", where))
        assert (owners(stored), labels(stored)) == ([lab.owner(alice)], [alice.name])


async def test_pods_of_a_stamped_workload_need_nobody_to_be_there(lab: World) -> None:
    alice, where = lab.user("alice"), lab.namespace(owner="user:carol")
    path = lab.plane.client.path_of(make(lab, alice, workload("Deployment", "web", where, replicas=1)))
    with _away(lab):
        lab.plane.client.merge(path, {"spec": {"replicas": 3}})
        async with lab.client() as admin:
            assert await appear(admin, where, 3) == [lab.owner(alice)] * 3
        made = _pods(lab, where)
        assert [labels(each) for each in made] == [[alice.name]] * 3


async def test_what_was_created_in_an_outage_is_pinned(lab: World, request: pytest.FixtureRequest) -> None:
    """Policies stamp as ever; without them nobody knows any more who it was, and the namespace's owner pays."""
    alice, where = lab.user("alice"), lab.namespace(owner="user:carol")
    make(lab, alice, _account("runner", where))
    runner = lab.plane.service_account(where, "runner", role="edit")
    by_policies = request.node.callspec.params["stamping"] == "policies"
    with _away(lab):
        make(lab, alice, workload("Deployment", "web", where, replicas=2))
        make(lab, alice, held("direct", where))
        make(lab, runner, held("through", where))
        wanted = lab.owner(alice) if by_policies else "user:carol"

        def pinned() -> bool:
            found = _pods(lab, where)
            return len(found) == 4 and {stamp(each) for each in found} == {wanted}

        assert wait_until(pinned, 15), [stamp(each) for each in _pods(lab, where)]
    again = make(lab, alice, workload("Deployment", "again", where, replicas=0))
    assert owners(again) == [lab.owner(alice)] * 2


@contextmanager
def _away(world: World) -> Iterator[None]:
    """No replica of the webhook answers."""
    assert world.installed is not None
    replicas = [world.installed.webhook(number) for number in range(2)]
    for each in replicas:
        each.kill()
    try:
        yield
    finally:
        for each in replicas:
            each.restart()
        probe.wait(world.plane, ["pods.labquota.dev"])


def _asked(world: World, namespace: str, before: int) -> bool:
    world.plane.client.create(f"{pods(namespace)}?dryRun=All", held("probe", namespace))
    return probe.calls(world.plane.client, "twin.labquota.dev") > before


def _pods(world: World, namespace: str) -> list[Manifest]:
    return [{**each, "kind": "Pod"} for each in world.plane.client.get(pods(namespace))["items"]]


def _account(name: str, namespace: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
