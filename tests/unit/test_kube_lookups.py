"""What is read of other objects to judge the GPUs that a pod reaches: once for all who ask, and for a moment."""

import asyncio
import base64
import json
from typing import Any

import pytest

from labquota.kube import errors
from labquota.kube.lookups import Lookups, Unread, decode, path
from labquota.quota.lookups import GONE, HIDDEN, DeviceClass, Found, Lookup
from unit.simulated import Clock, Cluster, Fault, run

CONFIG = Lookup("configmaps", "lab", "env")
WHERE = "/api/v1/namespaces/lab/configmaps/env"


def config(value: str) -> dict[str, Any]:
    return {"metadata": {"name": "env"}, "data": {"NVIDIA_VISIBLE_DEVICES": value, "OTHER": "x"}}


def test_objects_are_where_the_api_has_them() -> None:
    assert path(CONFIG) == WHERE
    assert path(Lookup("secrets", "a", "b/c")) == "/api/v1/namespaces/a/secrets/b%2Fc"
    assert path(Lookup("runtimeclasses", "", "nvidia")) == "/apis/node.k8s.io/v1/runtimeclasses/nvidia"
    assert (
        path(Lookup("resourceclaims", "a", "b")) == "/apis/resource.k8s.io/v1/namespaces/a/resourceclaims/b"
    )
    assert path(Lookup("deviceclasses", "", "")) == "/apis/resource.k8s.io/v1/deviceclasses"


def test_a_burst_is_judged_by_one_read_and_a_change_is_seen_a_moment_later() -> None:
    async def scenario() -> None:
        cluster, clock = Cluster(), Clock()
        cluster.store(WHERE, config("all"))
        lookups = Lookups(cluster, clock)
        answers = await asyncio.gather(*(lookups.of([CONFIG]) for _ in range(50)))
        assert answers == [{CONFIG: Found(variables={"NVIDIA_VISIBLE_DEVICES": "all"})}] * 50
        assert cluster.count("get", "configmaps") == 1
        cluster.store(WHERE, config("void"))
        await asyncio.sleep(2.1)
        assert (await lookups.of([CONFIG]))[CONFIG].variables == {"NVIDIA_VISIBLE_DEVICES": "void"}

    run(scenario())


def test_what_is_not_there_is_an_answer_that_is_not_remembered() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        lookups = Lookups(cluster, Clock())
        assert await lookups.of([CONFIG]) == {CONFIG: GONE}
        cluster.store(WHERE, config("all"))
        assert (await lookups.of([CONFIG]))[CONFIG].exists

    run(scenario())


def test_that_a_cluster_knows_no_classes_is_remembered_too() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.plan("get", Fault(errors.NotFound(404, "NotFound", "no such kind")))
        lookups, every = Lookups(cluster, Clock()), Lookup("deviceclasses", "", "")
        assert await lookups.of([every]) == {every: GONE} == await lookups.of([every])
        assert cluster.count("get") == 1

    run(scenario())


def test_what_labquota_has_no_right_to_is_an_answer_too() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.plan("get", Fault(errors.ApiError(403, "Forbidden", "no")))
        assert await Lookups(cluster, Clock()).of([CONFIG]) == {CONFIG: HIDDEN}

    run(scenario())


@pytest.mark.parametrize("error", [errors.Unreachable("refused"), errors.ApiError(500, "", "boom")])
def test_everything_else_is_an_outage_for_all_who_wait(error: Exception) -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.plan("get", Fault(error))
        lookups = Lookups(cluster, Clock())
        failed = await asyncio.gather(*(lookups.of([CONFIG]) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(each, Unread) for each in failed)
        assert str(failed[0]).startswith("configmaps env cannot be read: ")
        assert cluster.count("get") == 1
        assert await lookups.of([CONFIG]) == {CONFIG: GONE}, "and it is tried again"

    run(scenario())


def test_who_stops_waiting_keeps_nobody_else_from_the_answer() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.store(WHERE, config("all"))
        cluster.plan("get", Fault(wait=1.0))
        lookups = Lookups(cluster, Clock())
        first, second = (asyncio.create_task(lookups.of([CONFIG])) for _ in range(2))
        await asyncio.sleep(0.5)
        first.cancel()
        assert (await second)[CONFIG].exists

    run(scenario())


def test_the_number_of_remembered_objects_is_bounded() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        lookups = Lookups(cluster, Clock())
        for number in range(2100):
            cluster.store(f"/api/v1/namespaces/lab/configmaps/c{number}", {"metadata": {}, "data": {}})
            await lookups.of([Lookup("configmaps", "lab", f"c{number}")])
        assert len(lookups._known) <= 2000  # noqa: SLF001  what a user could make grow

    run(scenario())


def read(resource: Any, body: dict[str, Any], name: str = "x") -> Found:
    return decode(Lookup(resource, "", name), json.dumps(body).encode())


def test_only_what_could_end_a_variable_that_counts_is_kept_and_cut() -> None:
    data = {"VISIBLE_DEVICES": "all" * 1000, "S": "1", "s": "2", "OTHER": "x", "CUDA_VERSION": "11"}
    kept = read("configmaps", {"data": data}).variables
    assert kept.keys() == {"VISIBLE_DEVICES", "S", "CUDA_VERSION"}
    assert len(kept["VISIBLE_DEVICES"]) == 256


def test_secrets_are_read_in_clear_and_what_is_no_text_is_left_out() -> None:
    data = {"NVIDIA_VISIBLE_DEVICES": base64.b64encode(b"all").decode(), "CUDA_VERSION": "%%%x"}
    assert read("secrets", {"data": data}).variables == {"NVIDIA_VISIBLE_DEVICES": "all"}


def test_claims_of_every_form_name_their_classes() -> None:
    requests = [
        {"name": "a", "exactly": {"deviceClassName": "one"}},
        {"name": "b", "firstAvailable": [{"deviceClassName": "two"}, {"deviceClassName": "three"}]},
        {"name": "c", "deviceClassName": "four"},
    ]
    spec = {"devices": {"requests": requests}}
    assert read("resourceclaims", {"spec": spec}).classes == ("four", "one", "three", "two")
    assert read("resourceclaimtemplates", {"spec": {"spec": spec}}).classes == ("four", "one", "three", "two")


def test_classes_are_read_all_together() -> None:
    one = {
        "metadata": {"name": "gpus"},
        "spec": {"selectors": [{"cel": {"expression": "true"}}], "extendedResourceName": "example.com/gpu"},
    }
    wanted = (DeviceClass("gpus", ("true",), "example.com/gpu"),)
    assert read("deviceclasses", {"items": [one]}, name="").device_classes == wanted


def test_a_runtime_class_says_its_handler() -> None:
    assert read("runtimeclasses", {"handler": "nvidia"}).handler == "nvidia"
