"""`labquota gpus`: what is put together from agents and operator, and how it is drawn."""

import io
import sys
from typing import Any

import msgspec
import pytest

from labquota.api import GPUNode
from labquota.cli import cards, drawing, output
from labquota.cli.devices import Allocation, Node

A100 = "NVIDIA A100-SXM4-40GB"
GPU = "GPU-aaaa"
OTHER = "GPU-bbbb"


def mig(instance: int, profile: str, start: int, size: int, memory: int) -> dict[str, Any]:
    return {
        "uuid": f"MIG-{instance}",
        "gpuInstance": instance,
        "computeInstance": 0,
        "profile": profile,
        "start": start,
        "size": size,
        "memory": memory,
    }


CUT = {
    "index": 0,
    "uuid": GPU,
    "model": A100,
    "memory": 40960,
    "migMode": "Enabled",
    "pendingMigMode": "Enabled",
    "migDevices": [
        mig(1, "3g.20gb", 0, 4, 19968),
        mig(3, "2g.10gb", 4, 2, 9856),
        mig(9, "1g.5gb", 6, 1, 4864),
    ],
}
WHOLE = {
    "index": 1,
    "uuid": OTHER,
    "model": A100,
    "memory": 40960,
    "migMode": "Disabled",
    "pendingMigMode": "Disabled",
}


def node(name: str = "gpu-0", **status: Any) -> GPUNode:
    found = {"driverVersion": "550.54.15", "gpus": [CUT, WHOLE], **status}
    return msgspec.convert({"metadata": {"name": name}, "status": found}, GPUNode)


def allocation(pod: str, gpu: str, instance: int = -1, **more: Any) -> Allocation:
    compute = -1 if instance < 0 else 0
    device = {
        "node": "gpu-0",
        "gpu": gpu,
        "gpuInstance": instance,
        "computeInstance": compute,
        "id": f"id-{pod}",
    }
    spec: dict[str, Any] = {"owner": more.pop("owner", "user:alice")}
    if not more.pop("hold", False):
        spec["pod"] = {"name": pod, "uid": "0" * 8 + "-0000-0000-0000-" + "0" * 12}
    status = {"phase": "Bound", "devices": [device], **more}
    return msgspec.convert(
        {"metadata": {"name": pod, "namespace": "vision"}, "spec": spec, "status": status}, Allocation
    )


def holds(*, gpu: str = GPU, instance: int = -1, pod: str = "train") -> dict[str, Any]:
    compute = -1 if instance < 0 else 0
    where = {"gpu": gpu, "gpuInstance": instance, "computeInstance": compute}
    return {
        "resource": "nvidia.com/gpu",
        "device": "x",
        **where,
        "namespace": "vision",
        "pod": pod,
        "container": "main",
    }


class _Screen(io.StringIO):
    encoding = "utf-8"


def drawn(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch, encoding: str = "utf-8", *, wide: bool = False
) -> str:
    screen = _Screen()
    screen.encoding = encoding
    monkeypatch.setattr(sys, "stdout", screen)
    output.show(*drawing.view(nodes, wide=wide))
    return screen.getvalue()


def test_nodes_are_drawn_with_their_slices_and_holders(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cards.nodes([node()], [allocation("train", GPU, 1), allocation("asr", OTHER, owner="user:bob")])
    assert drawn(found, monkeypatch).splitlines() == [
        "gpu-0   2 of 4 devices held   driver 550.54.15",
        "GPU   MODEL                   DEVICE    AT    SLOTS      STATE   OWNER        HELD BY",
        "0     NVIDIA A100-SXM4-40GB   3g.20gb   1/0   ████····   held    user:alice   vision/train",
        "                              2g.10gb   3/0   ····▒▒··   free",
        "                              1g.5gb    9/0   ······▒·   free",
        "1     NVIDIA A100-SXM4-40GB   whole           ████████   held    user:bob     vision/asr",
    ]


def test_without_colour_and_unicode_it_reads_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(cards.nodes([node()], [allocation("train", GPU, 1)]), monkeypatch, "ascii")
    assert "3g.20gb   1/0   ####....   held    user:alice   vision/train" in text
    assert "2g.10gb   3/0   ....==..   free" in text
    assert text.isascii()


def test_wide_shows_memory_resource_and_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    offer = {"name": "nvidia.com/mig-1g.5gb", "count": 1, "devices": ["MIG-9"]}
    text = drawn(cards.nodes([node(resources=[offer])], []), monkeypatch, wide=True)
    assert "4864 MiB   nvidia.com/mig-1g.5gb   MIG-9" in text


def test_a_quarter_card_is_drawn_to_the_same_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    a30 = {**CUT, "model": "NVIDIA A30", "memory": 24576, "migDevices": [mig(5, "1g.6gb", 3, 1, 5836)]}
    assert "1g.6gb   5/0   ······▒▒   free" in drawn(cards.nodes([node(gpus=[a30])], []), monkeypatch)


def test_a_pod_that_only_the_kubelet_knows_has_no_owner_and_one_with_both_stands_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    published = node(holders=[holds(instance=1), holds(gpu=OTHER, pod="odd")])
    found = cards.nodes([published], [allocation("train", GPU, 1)])
    text = drawn(found, monkeypatch)
    assert text.count("vision/train") == 1
    assert "whole           ████████   held    unknown      vision/odd" in text


def test_a_hold_without_a_pod_is_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(cards.nodes([node()], [allocation("exam", GPU, 3, hold=True)]), monkeypatch)
    assert "held    user:alice   hold vision/exam" in text


@pytest.mark.parametrize("phase", ["Released", "Expired"])
def test_what_has_ended_holds_nothing(phase: str) -> None:
    [found] = cards.nodes([node()], [allocation("train", GPU, 1, phase=phase)])
    assert not any(card.holders for card in found.cards)


def test_replicas_have_several_holders_and_say_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    offer = {
        "name": "nvidia.com/gpu",
        "replicas": 4,
        "devices": [f"{OTHER}::{number}" for number in range(4)],
    }
    both = [allocation("a", OTHER), allocation("b", OTHER, owner="user:bob")]
    lines = drawn(cards.nodes([node(resources=[offer])], both), monkeypatch).splitlines()
    assert lines[-2].endswith("2 of 4 held   user:alice   vision/a")
    assert lines[-1].split() == ["user:bob", "vision/b"]


def test_what_is_wrong_stands_beside_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = {**WHOLE, "health": "Lost", "message": "GPU is lost"}
    process = {"gpu": GPU, "gpuInstance": 3, "computeInstance": 0, "pid": 4711, "command": "python"}
    foreign = {**process, "namespace": "lab", "pod": "sly", "owner": "user:eve"}
    published = node(gpus=[CUT, lost], unaccounted=[foreign])
    wrong = {"type": "Conflict", "status": "True", "reason": "x", "message": "x"}
    stamped = {**wrong, "lastTransitionTime": "2026-03-01T08:00:00Z"}
    found = cards.nodes([published], [allocation("train", GPU, 1, conditions=[stamped])])
    text = drawn(found, monkeypatch)
    assert "held    user:alice   vision/train   Conflict" in text
    assert "Unaccounted: process 4711 python of lab/sly (user:eve)" in text
    assert "lost" in text
    assert "Lost: GPU is lost" in text


def test_a_device_that_is_held_and_gone_is_named_below_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(cards.nodes([node()], [allocation("train", "GPU-gone")]), monkeypatch)
    assert text.splitlines()[-1] == "vision/train holds GPU id-train, which is not there"


def test_a_gpu_that_is_cut_into_nothing_or_due_for_a_reset_is_shown_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty = {**CUT, "migDevices": []}
    due = {**WHOLE, "pendingMigMode": "Enabled"}
    found = cards.nodes([node(gpus=[empty, due])], [])
    text = drawn(found, monkeypatch)
    assert text.startswith("gpu-0   0 of 1 devices held")
    assert "in MIG mode, and cut into nothing" in text
    assert "MIG mode is on after the next reset" in text


def test_what_the_agent_says_of_its_own_looking_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = {"type": "Stale", "status": "True", "reason": "NoDriver", "message": "the driver is away"}
    published = node(conditions=[{**stale, "lastTransitionTime": "2026-03-01T08:00:00Z"}])
    assert (
        drawn(cards.nodes([published], []), monkeypatch).splitlines()[-1] == "Stale=True: the driver is away"
    )


def test_nodes_come_by_name_and_only_those_asked_for() -> None:
    several = [node("b"), node("a"), node("c")]
    assert [each.name for each in cards.nodes(several, [])] == ["a", "b", "c"]
    assert [each.name for each in cards.nodes(several, [], ["c"])] == ["c"]
