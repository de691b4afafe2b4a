"""The writer of nodes: what NVIDIA's rules allow, and that the library shows what was written."""

from pathlib import Path

import pytest

from nvml import MODELS, Node
from nvml.asking import ask
from nvml.placing import instance_id, place

A100 = "A100-SXM4-40GB"


def test_a_layout_is_placed_where_all_of_it_fits_not_greedily() -> None:
    family = MODELS[A100].family
    assert place(family, ["1g.5gb", "4g.20gb"]) == [4, 0]
    assert place(family, ["3g.20gb", "4g.20gb"]) == [4, 0]
    assert place(family, ["1g.5gb"] * 7) == [0, 1, 2, 3, 4, 5, 6]
    assert place(family, ["1g.10gb"] * 4) == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (["4g.20gb", "4g.20gb"], "2 x 4g.20gb: at most 1 fit on one GPU"),
        (["1g.5gb"] * 8, "8 x 1g.5gb: at most 7 fit on one GPU"),
        (["3g.20gb", "3g.20gb", "1g.5gb"], "no place for 3g.20gb, 3g.20gb, 1g.5gb"),
        (["3g.40gb"], "no profile 3g.40gb on this model; it offers 1g.5gb, 1g.5gb+me"),
    ],
)
def test_what_no_gpu_can_hold_is_refused(layout: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        place(MODELS[A100].family, layout)
    assert str(refused.value).startswith(message)


def test_ids_of_gpu_instances_do_not_meet() -> None:
    family = MODELS[A100].family
    layout = ["2g.10gb", "1g.5gb", "1g.5gb", "3g.20gb"]
    starts = place(family, layout)
    ids = [
        instance_id(family, family.profile(name), start) for name, start in zip(layout, starts, strict=True)
    ]
    assert len(set(ids)) == len(ids)


def test_the_library_shows_what_was_written(tmp_path: Path) -> None:
    node = Node(tmp_path / "node.yaml", A100, "T4")
    node.cut(node.gpus[0], ["3g.20gb", ("1c.2g.10gb", "1c.2g.10gb")])
    node.write()
    seen = ask(
        node.environment(),
        "gpus = [nv.nvmlDeviceGetHandleByIndex(i) for i in range(nv.nvmlDeviceGetCount())]",
        "migs = [nv.nvmlDeviceGetMigDeviceHandleByIndex(gpus[0], i) for i in range(3)]",
        "[[nv.nvmlDeviceGetName(h), nv.nvmlDeviceGetUUID(h)] for h in gpus + migs]",
    )
    instances = node.gpus[0].instances
    assert seen == [
        ["NVIDIA A100-SXM4-40GB", node.gpus[0].uuid],
        ["NVIDIA T4", node.gpus[1].uuid],
        ["NVIDIA A100-SXM4-40GB MIG 3g.20gb", instances[0].uuid],
        ["NVIDIA A100-SXM4-40GB MIG 1c.2g.10gb", instances[1].uuid],
        ["NVIDIA A100-SXM4-40GB MIG 1c.2g.10gb", instances[2].uuid],
    ]
    assert [each.ci for each in instances] == [0, 0, 1]


def test_a_removed_device_leaves_a_hole_that_the_next_one_fills(tmp_path: Path) -> None:
    node = Node(tmp_path / "node.yaml", A100)
    gpu = node.gpus[0]
    node.cut(gpu, ["1g.5gb"] * 3)
    first = gpu.instances.pop(0)
    node.create(gpu, ["1g.5gb"])
    second = gpu.instances[-1]
    assert (second.index, second.gi, second.ci) == (first.index, first.gi, first.ci)
    assert second.uuid != first.uuid


def test_a_reboot_keeps_the_mode_and_takes_the_devices(tmp_path: Path) -> None:
    node = Node(tmp_path / "node.yaml", A100)
    node.cut(node.gpus[0], ["7g.40gb"])
    uuid = node.gpus[0].uuid
    node.reboot()
    assert (node.gpus[0].uuid, node.gpus[0].mig, node.gpus[0].instances) == (uuid, True, [])
