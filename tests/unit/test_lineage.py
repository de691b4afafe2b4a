"""Where a controller reference leads, and whose a service account is."""

import asyncio

import msgspec
import pytest

from labquota.kube.lineage import Resolved, Unresolved
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.pods import Reference
from labquota.quota.trust import Trust
from unit.lineal import Discovered, made_by
from unit.simulated import Fault, run

APPS = "/apis/apps/v1/namespaces/lab"
CUSTOM = "/apis/example.org/v1/namespaces/lab"
ACCOUNTS = "/api/v1/namespaces/lab/serviceaccounts"


def of_made(cluster: Discovered, maker: Reference | None, trust: Trust | None = None) -> Resolved:
    return run(cluster.lineage(trust or Trust()).of_made("lab", made_by(maker)))


def of_account(cluster: Discovered, name: str, trust: Trust | None = None) -> Resolved:
    return run(cluster.lineage(trust or Trust()).of_account("lab", name))


def test_a_reference_is_followed_to_the_first_stamp() -> None:
    cluster = Discovered()
    top = cluster.put(f"{APPS}/deployments/web", "d", stamp="user:alice")
    middle = cluster.put(f"{APPS}/replicasets/web-1", "r", top)
    found = of_made(cluster, middle)
    assert found.owner == "user:alice"
    assert found.steps == ("ReplicaSet web-1 has no stamp", "Deployment web is stamped user:alice")


def test_a_stamp_on_the_way_comes_before_one_at_the_top() -> None:
    cluster = Discovered()
    top = cluster.put(f"{APPS}/deployments/web", "d", stamp="user:bob")
    middle = cluster.put(f"{APPS}/replicasets/web-1", "r", top, stamp="user:alice")
    assert of_made(cluster, middle).owner == "user:alice"


def test_a_reference_with_another_uid_leads_nowhere() -> None:
    cluster = Discovered()
    there = cluster.put(f"{APPS}/deployments/web", "d", stamp="user:bob")
    forged = msgspec.structs.replace(there, uid="another")
    found = of_made(cluster, forged)
    assert found.owner == "namespace:lab"
    assert found.steps == (
        "Deployment web is not there any more",
        "namespace lab has no owner: namespace:lab",
    )


def test_what_a_kind_that_is_not_stamped_carries_is_whatever_its_author_wrote() -> None:
    cluster = Discovered()
    gadget = cluster.put(f"{CUSTOM}/gadgets/it", "g", stamp="user:bob")
    assert of_made(cluster, gadget).owner == "namespace:lab"
    listed = of_made(cluster, gadget, Trust(kinds=("gadgets.example.org",)))
    assert listed.owner == "user:bob"


def test_an_unlisted_kind_is_passed_on_the_way_to_a_listed_one() -> None:
    cluster = Discovered()
    gadget = cluster.put(f"{CUSTOM}/gadgets/it", "g", stamp="user:alice")
    widget = cluster.put(f"{CUSTOM}/widgets/part", "w", gadget, stamp="user:bob")
    found = of_made(cluster, widget, Trust(kinds=("gadgets.example.org",)))
    assert found.owner == "user:alice"
    assert found.steps[0] == "Widget part (kind widgets.example.org is not stamped)"


def test_references_in_a_circle_end() -> None:
    cluster = Discovered()
    one = cluster.put(f"{APPS}/deployments/one", "1")
    two = cluster.put(f"{APPS}/deployments/two", "2", one)
    cluster.put(f"{APPS}/deployments/one", "1", two)
    found = of_made(cluster, one)
    assert found.owner == "namespace:lab"
    assert found.steps[-2] == "Deployment one leads back to where it came from"


def test_a_long_line_of_makers_is_followed_to_its_end() -> None:
    cluster = Discovered()
    maker = cluster.put(f"{APPS}/deployments/d0", "0", stamp="user:alice")
    for number in range(1, 40):
        maker = cluster.put(f"{APPS}/deployments/d{number}", str(number), maker)
    assert of_made(cluster, maker).owner == "user:alice"


def test_a_kind_that_is_not_there_leads_nowhere() -> None:
    found = of_made(Discovered(), Reference("gone.example.org/v1", "Thing", "x", "u", controller=True))
    assert found.owner == "namespace:lab"
    assert found.steps[0] == "Thing x: no such kind here (gone.example.org/v1)"


def test_a_kind_that_was_installed_a_moment_ago_is_found() -> None:
    cluster = Discovered()
    maker = cluster.put("/apis/ray.io/v1/namespaces/lab/rayclusters/ray", "r", stamp="user:alice")
    lineage, meta = cluster.lineage(Trust(kinds=("rayclusters.ray.io",))), made_by(maker)

    async def before_and_after() -> tuple[Resolved, Resolved]:
        cluster.missing = "/apis/ray.io/v1"
        before = await lineage.of_made("lab", meta)
        cluster.missing = ""
        await asyncio.sleep(1.5)
        return before, await lineage.of_made("lab", meta)

    before, after = run(before_and_after())
    assert before.steps[0] == "RayCluster ray: no such kind here (ray.io/v1)"
    assert after.owner == "user:alice"


def test_a_kind_that_may_not_be_read_is_an_error_that_names_the_setting() -> None:
    cluster = Discovered()
    maker = cluster.put("/apis/ray.io/v1/namespaces/lab/rayclusters/ray", "r", stamp="user:alice")
    cluster.forbidden = "rayclusters"
    with pytest.raises(Unresolved, match=r"^rayclusters.ray.io may not be read: list it under `kinds`"):
        of_made(cluster, maker)


def test_a_failing_api_server_is_an_error_and_nobody_is_charged_instead() -> None:
    cluster = Discovered()
    maker = cluster.put(f"{APPS}/deployments/web", "d", stamp="user:alice")
    cluster.plan("get", Fault(OSError("cut off")))
    with pytest.raises((Unresolved, OSError)):
        of_made(cluster, maker)


def test_without_a_reference_the_namespaces_owner_counts() -> None:
    cluster = Discovered()
    cluster.namespaces["lab"] = {OWNER_ANNOTATION: "user:carol"}
    found = of_made(cluster, None)
    assert found.owner == "user:carol"
    assert found.steps == ("no controller reference", "namespace lab belongs to user:carol")


def test_what_was_read_is_remembered_for_a_minute() -> None:
    cluster = Discovered()
    maker = cluster.put(f"{APPS}/deployments/web", "d", stamp="user:alice")

    async def asks() -> tuple[int, int]:
        lineage = cluster.lineage()
        for _ in range(5):
            await lineage.of_made("lab", made_by(maker))
        before = cluster.count("get", "deployments/")
        await asyncio.sleep(61)
        await lineage.of_made("lab", made_by(maker))
        return before, cluster.count("get", "deployments/")

    assert run(asks()) == (1, 2)


def test_a_service_accounts_pods_belong_to_whom_the_account_belongs_to() -> None:
    cluster = Discovered()
    cluster.put(f"{ACCOUNTS}/runner", "s", stamp="user:alice")
    assert of_account(cluster, "runner").owner == "user:alice"


def test_the_administrators_word_on_an_account_comes_first() -> None:
    cluster = Discovered()
    cluster.put(f"{ACCOUNTS}/runner", "s", stamp="user:alice")
    trust = Trust(accounts={"lab/runner": Owner("user:carol")})
    assert of_account(cluster, "runner", trust).owner == "user:carol"


def test_an_account_that_an_account_made_belongs_to_the_first_ones_owner() -> None:
    cluster = Discovered()
    cluster.put(f"{ACCOUNTS}/one", "1", stamp="user:alice")
    cluster.put(f"{ACCOUNTS}/two", "2", stamp="serviceaccount:lab/one")
    assert of_account(cluster, "two").owner == "user:alice"


def test_accounts_that_own_each_other_pay_as_their_namespace_does() -> None:
    cluster = Discovered()
    cluster.put(f"{ACCOUNTS}/one", "1", stamp="serviceaccount:lab/two")
    cluster.put(f"{ACCOUNTS}/two", "2", stamp="serviceaccount:lab/one")
    cluster.namespaces["lab"] = {OWNER_ANNOTATION: "user:carol"}
    assert of_account(cluster, "one").owner == "user:carol"


def test_an_account_without_an_owner_pays_as_its_namespace_or_itself() -> None:
    cluster = Discovered()
    cluster.put(f"{ACCOUNTS}/runner", "s")
    assert of_account(cluster, "runner").owner == "serviceaccount:lab/runner"
    cluster.namespaces["lab"] = {OWNER_ANNOTATION: "user:carol"}
    assert of_account(cluster, "runner").owner == "user:carol"


def test_an_account_that_is_not_there_has_no_budget_of_its_own() -> None:
    found = of_account(Discovered(), "invented")
    assert found.owner == "namespace:lab"
    assert found.steps[0] == "service account lab/invented is not there"
