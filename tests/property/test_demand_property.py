import json
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from labquota.quota import demand, pods, sums
from labquota.quota.quantities import QuantityError
from oracle import generate

Manifest = dict[str, Any]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "resources", "limits", "cpu"]), inner)
    ),
    max_leaves=8,
)


def read(manifest: Manifest) -> pods.Pod:
    return pods.decode(json.dumps(manifest).encode())


@given(generate.pods(status=True), st.booleans())
def test_the_short_way_comes_to_the_same_sums(manifest: Manifest, held: bool) -> None:  # noqa: FBT001 - generated
    pod = read(manifest)
    short = sums.plain(pod, held=held)
    assert short is None or short == sums.full(pod, held=held)


@given(generate.resource_lists("cpu", "memory", "nvidia.com/gpu"), generate.resource_lists("cpu", "memory"))
def test_a_running_pod_of_the_usual_kind_takes_the_short_way(requests: Manifest, limits: Manifest) -> None:
    both = {"requests": requests, "limits": limits}
    status = {"containerStatuses": [{"name": "a", "resources": both, "allocatedResources": requests}]}
    pod = read({"spec": {"containers": [{"name": "a", "resources": both}]}, "status": status})
    assert sums.plain(pod, held=True) == sums.full(pod, held=True)


@given(generate.pods(status=False))
def test_a_pod_without_a_status_holds_what_it_asks(manifest: Manifest) -> None:
    assert demand.held(read(manifest)) == demand.asked(read(manifest))


@given(generate.pods(status=True))
def test_a_pod_holds_no_less_than_it_asks_unless_its_resize_is_infeasible(manifest: Manifest) -> None:
    manifest["status"].pop("conditions", None)
    held = demand.held(read(manifest))
    assert all(amount <= held.get(key, 0) for key, amount in demand.asked(read(manifest)).items())


@given(generate.pods(status=False), st.randoms())
def test_app_containers_have_no_order(manifest: Manifest, random: Any) -> None:
    asked = demand.asked(read(manifest))
    random.shuffle(manifest["spec"]["containers"])
    assert demand.asked(read(manifest)) == asked


@given(generate.pods(status=True))
def test_a_manifest_and_the_json_of_it_are_the_same_pod(manifest: Manifest) -> None:
    assert demand.held(pods.convert(manifest)) == demand.held(read(manifest))


@given(generate.pods(status=True))
def test_no_amount_is_zero(manifest: Manifest) -> None:
    assert all(demand.held(read(manifest)).values())


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), ANYTHING), ANYTHING)
def test_a_hostile_pod_ends_in_one_of_two_errors(manifest: Manifest, container: Any) -> None:
    for tried in (manifest, {**manifest, "spec": {"containers": [container], "initContainers": container}}):
        for line in (said(lambda: read(tried)), said(lambda: pods.convert(tried))):  # noqa: B023 - called at once
            assert len(line.splitlines()) == 1


def said(read_pod: Callable[[], pods.Pod]) -> str:
    try:
        pod = read_pod()
        demand.asked(pod)
        demand.held(pod)
        demand.unset(pod, ("requests.cpu",))
    except (msgspec.MsgspecError, QuantityError) as error:
        return str(error)
    return "fine"
