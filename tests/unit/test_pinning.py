"""Pods that came without a stamp get the resolved one, by whoever leads."""

import asyncio
from collections.abc import Callable
from typing import Any

from labquota.controllers import pinning
from labquota.controllers.pacing import Pace
from labquota.controllers.pinning import Pins
from labquota.controllers.pods import Pods
from labquota.kube import errors
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.stamping import USER_LABEL
from labquota.quota.world import World
from unit.builders import manifest
from unit.lineal import Discovered, reference
from unit.operators import charge, pod_path
from unit.simulated import Clock, Fault, run

APPS = "/apis/apps/v1/namespaces/lab"
ACCOUNTS = "/api/v1/namespaces/lab/serviceaccounts"


class Pinned:
    """An operator's view of a cluster, and what it pins there."""

    def __init__(self) -> None:
        self.cluster, clock = Discovered(), Clock()
        self.view = Pods(World(), lambda _owner, _freed: None, self._came)
        self.pins = Pins(self.cluster, self.view, self.cluster.lineage(), Pace(clock, 1000))

    def _came(self, item: Any) -> None:
        self.pins.note(item)

    def stored(self, name: str, *, stamp: str = "", maker: Any = None, **asks: Any) -> None:
        """A pod of the cluster that the watch shows."""
        made = manifest(name, **asks)
        made["metadata"]["annotations"] = {OWNER_ANNOTATION: stamp} if stamp else {}
        if maker is not None:
            made["metadata"]["ownerReferences"] = [reference(maker)]
        self.cluster.store(pod_path(name), made)
        self.view.changed("ADDED", self.view.decode(self._raw(name)), "5")

    def _raw(self, name: str) -> bytes:
        return run(self.cluster.get(pod_path(name)))

    def meta(self, name: str) -> dict[str, Any]:
        meta: dict[str, Any] = self.cluster.objects[pod_path(name)]["metadata"]
        return meta

    def stamp(self, name: str) -> str | None:
        found: str | None = self.meta(name).get("annotations", {}).get(OWNER_ANNOTATION)
        return found

    def until(self, done: Callable[[], bool], seconds: float = 60.0) -> None:
        """Let it work until something is so, or for so long."""

        async def works() -> None:
            task = asyncio.create_task(self.pins.run())
            for _ in range(round(seconds * 10)):
                if done():
                    break
                await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        run(works())


def test_a_pod_without_a_stamp_gets_the_owner_that_its_maker_leads_to() -> None:
    here = Pinned()
    maker = here.cluster.put(f"{APPS}/replicasets/web", "r", stamp="user:alice")
    here.stored("a", maker=maker)
    here.until(lambda: here.stamp("a") is not None)
    assert here.stamp("a") == "user:alice"
    assert here.meta("a")["labels"][USER_LABEL] == "alice"


def test_a_pod_that_nobody_made_gets_its_namespaces_owner() -> None:
    here = Pinned()
    here.cluster.namespaces["lab"] = {OWNER_ANNOTATION: "user:carol"}
    here.stored("a")
    here.until(lambda: here.stamp("a") is not None)
    assert here.stamp("a") == "user:carol"


def test_the_name_of_a_service_account_is_replaced_by_its_owners() -> None:
    here = Pinned()
    here.cluster.put(f"{ACCOUNTS}/runner", "s", stamp="user:alice")
    here.cluster.put(f"{ACCOUNTS}/nobodys", "n")
    here.stored("a", stamp="serviceaccount:lab/runner")
    here.stored("b", stamp="serviceaccount:lab/nobodys")
    here.until(lambda: here.stamp("a") == "user:alice")
    assert (here.stamp("a"), here.stamp("b")) == ("user:alice", "serviceaccount:lab/nobodys")


def test_a_stamp_that_names_a_person_is_final_and_nothing_is_asked() -> None:
    here = Pinned()
    here.stored("a", stamp="user:alice")
    here.cluster.calls.clear()
    here.until(lambda: False, 5)
    assert here.cluster.calls == []


def test_what_cannot_be_read_now_is_tried_again() -> None:
    here = Pinned()
    maker = here.cluster.put(f"{APPS}/replicasets/web", "r", stamp="user:alice")
    here.stored("a", maker=maker)
    here.cluster.forbidden = "replicasets"
    here.until(lambda: False, 5)
    assert here.stamp("a") is None, "it is nobody else's meanwhile"
    here.cluster.forbidden = ""
    here.until(lambda: here.stamp("a") is not None)
    assert here.stamp("a") == "user:alice"


def test_a_pod_of_the_same_name_gets_nothing_of_the_one_before() -> None:
    here = Pinned()
    here.stored("a", uid="old")
    here.cluster.store(pod_path("a"), manifest("a", uid="new"))
    here.until(lambda: False, 5)
    assert here.cluster.count("patch") == 0


def test_a_failing_write_does_not_end_it() -> None:
    here = Pinned()
    here.stored("a")
    here.cluster.plan("patch", Fault(errors.Unreachable("cut off")))
    here.until(lambda: here.stamp("a") is not None)
    assert here.stamp("a") == "namespace:lab"


def test_a_finished_pod_is_left_alone() -> None:
    view = Pods(World(), lambda _owner, _freed: None)
    assert not pinning.is_open(charge(view, "a", phase="Succeeded"))
