"""What one device costs a pod that may run here or there: by agents, labels, table and administrator."""

from typing import Any

import pytest

from labquota import gpusettings
from labquota.quota import placing, pods
from labquota.quota.inventory import Inventory
from labquota.quota.placing import ANY, Placement
from labquota.quota.points import Price
from unit.inventories import A100_40, A100_80, V, gpu, gpunode, inventory, labels, mig, mixed, resource

GIB = 2**30


def cost(of: Inventory, name: str, placement: Placement = ANY) -> tuple[int, int, int] | None:
    price = of.price(f"{V}/{name}", placement)
    return None if price is None else (price.compute, price.memory, price.bytes // 2**20)


def selecting(**fields: Any) -> Placement:
    return placing.of(pods.convert({"spec": fields}).spec)


TWO_MODELS = inventory(
    (
        "small",
        mixed(A100_40, p1g_10gb=9856, p1g_5gb=4864),
        {f"{V}/mig-1g.10gb": 4, f"{V}/mig-1g.5gb": 1},
    ),
    ("large", mixed(A100_80, p1g_10gb=9728), {f"{V}/mig-1g.10gb": 7}),
)


def test_the_same_profile_name_costs_what_it_is_on_the_models_that_a_pod_may_run_on() -> None:
    product = f"{V}/gpu.product"
    assert cost(TWO_MODELS, "mig-1g.10gb") == (8, 14, 9856), "the worst case, in each part"
    assert cost(TWO_MODELS, "mig-1g.10gb", selecting(nodeSelector={product: A100_80[0]})) == (8, 7, 9728)
    assert cost(TWO_MODELS, "mig-1g.10gb", selecting(nodeSelector={product: A100_40[0]})) == (8, 14, 9856)
    assert cost(TWO_MODELS, "mig-1g.10gb", Placement(node="large")) == (8, 7, 9728)


def test_a_price_says_where_it_comes_from() -> None:
    any_, bound = (
        TWO_MODELS.price(f"{V}/mig-1g.10gb"),
        TWO_MODELS.price(f"{V}/mig-1g.10gb", Placement(node="small")),
    )
    assert any_ is not None
    assert any_.source == (
        "the worst case of 1g.10gb of NVIDIA-A100-SXM4-40GB on node small; "
        "1g.10gb of NVIDIA-A100-SXM4-80GB on node large"
    )
    assert bound is not None
    assert bound.source == "1g.10gb of NVIDIA-A100-SXM4-40GB on node small"
    alike = inventory(*((f"n{number}", labels(), {f"{V}/gpu": 8}) for number in range(3)))
    price = alike.price(f"{V}/gpu")
    assert price is not None
    assert price.source == "a whole NVIDIA-A100-SXM4-40GB on node n0 and 2 more"


def test_a_pod_that_fits_no_node_that_offers_the_name_costs_the_worst_case_of_all_and_of_the_table() -> None:
    nowhere = selecting(nodeSelector={"zone": "none"})
    assert cost(TWO_MODELS, "mig-1g.10gb", nowhere) == (8, 14, 10240)
    assert cost(TWO_MODELS, "mig-3g.20gb") == (24, 28, 19968), "no node offers it, the table knows it"
    assert cost(Inventory(), "gpu") == (56, 56, 278 * 1024)


def test_a_whole_gpu_has_the_memory_of_its_node() -> None:
    of = inventory(("n1", labels(("Tesla-T4", 15360)), {f"{V}/gpu": 1}))
    assert cost(of, "gpu") == (56, 56, 15360)
    price = of.price(f"{V}/gpu")
    assert price is not None
    assert price.whole


def test_under_the_single_strategy_the_plain_name_is_a_slice_as_the_label_says() -> None:
    single = labels((f"{A100_40[0]}-MIG-1g.5gb", 4864), **{"mig.strategy": "single"})
    of = inventory(("n1", single, {f"{V}/gpu": 7}))
    assert cost(of, "gpu") == (8, 7, 4864)
    price = of.price(f"{V}/gpu")
    assert price is not None
    assert not price.whole
    of.put_node("n2", labels(), {f"{V}/gpu": "8"})
    assert cost(of, "gpu") == (56, 56, 40960), "the worst case, with a node of whole ones"
    assert cost(of, "gpu", Placement(node="n1")) == (8, 7, 4864)


def test_under_the_single_strategy_the_devices_behind_the_name_tell_without_a_label() -> None:
    slices = [mig(f"MIG-{number}", "1g.5gb", 7 + number, 4864, 1) for number in range(7)]
    of = inventory(("n1", {}, {f"{V}/gpu": 7}))
    of.put_gpus(
        gpunode(
            "n1",
            [gpu(migMode="Enabled", migDevices=slices)],
            resource(f"{V}/gpu", *(each["uuid"] for each in slices)),
        )
    )
    assert cost(of, "gpu") == (8, 7, 4864)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["GPU-1"], (56, 56, 40960)),
        (["MIG-3"], (24, 28, 19968)),
        (["MIG-GPU-1/2/0"], (24, 28, 19968)),
        (["MIG-3", "MIG-1"], (24, 28, 19968)),
        (["nvidia0/gi7"], (8, 7, 4864)),
    ],
)
def test_a_renamed_resource_costs_what_the_devices_behind_it_are(
    ids: list[str], expected: tuple[int, ...]
) -> None:
    of = inventory(("n1", labels(), {f"{V}/a100": 2}))
    assert cost(of, "a100") is None, "labels say nothing of a name of somebody's choice"
    devices = [mig("MIG-3", "3g.20gb", 2, 19968, 4), mig("MIG-1", "1g.5gb", 7, 4864, 1)]
    of.put_gpus(gpunode("n1", [gpu(migDevices=devices)], resource(f"{V}/a100", *ids)))
    assert cost(of, "a100") == expected


def test_an_agent_goes_before_labels_which_may_be_of_another_time() -> None:
    of = inventory(("n1", mixed(A100_80, p1g_10gb=9856), {f"{V}/mig-1g.10gb": 4}))
    assert cost(of, "mig-1g.10gb") == (8, 7, 9856)
    devices = [mig("MIG-1", "1g.10gb", 7, 9856, 2)]
    of.put_gpus(
        gpunode("n1", [gpu(deviceId="20B0", migDevices=devices)], resource(f"{V}/mig-1g.10gb", "MIG-1"))
    )
    assert cost(of, "mig-1g.10gb") == (8, 14, 9856), "by its PCI id it is an A100 of 40 GB"
    of.drop_gpus("n1")
    assert cost(of, "mig-1g.10gb") == (8, 7, 9856)


def test_slices_of_an_agent_count_where_the_kubelet_could_not_be_asked() -> None:
    of = inventory(("n1", {}, {f"{V}/mig-1g.10gb": 4, f"{V}/gpu": 1}))
    cards = [
        gpu("GPU-1", migMode="Enabled", migDevices=[mig("MIG-1", "1g.10gb", 7, 9856, 2)]),
        gpu("GPU-2", ("NVIDIA-A100-SXM4-80GB", 81920), index=1),
    ]
    of.put_gpus(gpunode("n1", cards))
    assert cost(of, "mig-1g.10gb") == (8, 14, 9856)
    assert cost(of, "gpu") == (56, 56, 81920)


def test_mig_without_instances_is_no_whole_gpu() -> None:
    of = inventory(("n1", labels((f"{A100_40[0]}-MIG-INVALID", 0)), {f"{V}/gpu": 0}))
    of.put_gpus(gpunode("n1", [gpu(migMode="Enabled")]))
    assert of.offered() == []


def test_a_slice_of_a_model_that_the_table_lacks_is_learned_from_the_node() -> None:
    of = inventory(("n1", {}, {f"{V}/mig-2g.32gb": 1}))
    card = gpu(card=("NVIDIA-Z900", 131072), migDevices=[mig("MIG-1", "2g.32gb", 3, 32768, 2)])
    of.put_gpus(gpunode("n1", [card], resource(f"{V}/mig-2g.32gb", "MIG-1")))
    assert cost(of, "mig-2g.32gb") == (16, 14, 32768)
    found = mixed(("NVIDIA-Z900", 131072), p3g_64gb=65536)
    assert cost(inventory(("n1", found, {f"{V}/mig-3g.64gb": 2})), "mig-3g.64gb") == (24, 28, 65536)


def test_a_name_with_capacity_zero_is_gone() -> None:
    of = inventory(("n1", mixed(A100_40, p1g_10gb=9856), {f"{V}/mig-1g.10gb": "0", f"{V}/mig-3g.20gb": "2"}))
    of.put_node("n2", mixed(A100_80, p1g_10gb=9856), {f"{V}/mig-1g.10gb": "7"})
    assert of.offered() == [f"{V}/mig-1g.10gb", f"{V}/mig-3g.20gb"]
    assert cost(of, "mig-1g.10gb") == (8, 7, 9856), "only the node that still has it counts"
    assert cost(of, "mig-1g.10gb", Placement(node="n1")) == (8, 14, 9856), (
        "but who runs there still holds one"
    )
    of.put_node("n2", labels(A100_80), {f"{V}/mig-1g.10gb": "0"})
    assert f"{V}/mig-1g.10gb" not in of.offered()


@pytest.mark.parametrize(("settings", "expected"), [("Whole", (56, 56, 15360)), ("Divided", (14, 14, 3840))])
def test_a_shared_replica_costs_the_whole_or_its_part(settings: str, expected: tuple[int, ...]) -> None:
    set_ = gpusettings.read(f"sharedReplicas: {settings}")
    shared = labels(("Tesla-T4-SHARED", 15360), **{"gpu.replicas": "4"})
    assert cost(inventory(("n1", shared, {f"{V}/gpu": 4}), settings=set_), "gpu") == expected
    renamed = labels(("Tesla-T4", 15360), **{"gpu.replicas": "4"})
    assert cost(inventory(("n1", renamed, {f"{V}/gpu.shared": 4}), settings=set_), "gpu.shared") == expected
    by_agent = inventory(("n1", {}, {f"{V}/gpu": 4}), settings=set_)
    card = gpu(card=("Tesla-T4", 15360))
    by_agent.put_gpus(gpunode("n1", [card], resource(f"{V}/gpu", "GPU-1", replicas=4)))
    assert cost(by_agent, "gpu") == expected


def test_a_part_of_a_device_is_rounded_up() -> None:
    set_ = gpusettings.read("sharedReplicas: Divided")
    found = mixed(A100_40, p1g_5gb=4864) | {f"{V}/mig-1g.5gb.replicas": "3"}
    of = inventory(("n1", found, {f"{V}/mig-1g.5gb.shared": 21}), settings=set_)
    assert cost(of, "mig-1g.5gb.shared") == (3, 3, 1621)
    assert cost(of, "mig-1g.5gb.shared", ANY) is not None


def test_the_administrators_price_goes_first() -> None:
    set_ = gpusettings.read("""
        prices:
          NVIDIA A100-SXM4-40GB: {1g.10gb: {compute: 14, memory: 14}, whole: {compute: 100, memory: 60}}
          A100-80: {1g.10gb: {compute: 9, memory: 9}}
          "*": {1g.5gb: {compute: 1, memory: 2}}
        resources:
          nvidia.com/a100: {gpuEquivalents: "1", memory: 40Gi}
          nvidia.com/hostdev: {gpuEquivalents: 0}
    """)
    of = Inventory(set_)
    of.put_node(
        "small", mixed(A100_40, p1g_10gb=9856, p1g_5gb=4864), {f"{V}/mig-1g.10gb": "4", f"{V}/gpu": "1"}
    )
    of.put_node("large", mixed(A100_80, p1g_10gb=9856), {f"{V}/mig-1g.10gb": "4"})
    assert cost(of, "mig-1g.10gb", Placement(node="small")) == (14, 14, 9856)
    assert cost(of, "mig-1g.10gb", Placement(node="large")) == (9, 9, 9856)
    assert cost(of, "gpu") == (100, 60, 40960)
    assert cost(of, "mig-1g.5gb.me") == (1, 2, 4864)
    assert cost(of, "mig-1c.3g.20gb") == (8, 28, 19968), "a part of an instance has a price of its own"
    assert of.price(f"{V}/a100") == Price(56, 56, 40 * GIB, "the administrator's price", whole=True)
    nic = of.price(f"{V}/hostdev")
    assert nic is not None
    assert not nic.is_gpu


@pytest.mark.parametrize(
    "name", ["a100", "hostdev", "mig-0g.0gb", "mig-9g.99gb", "mig-1g.5gb.me-me", "GPU", "gpus"]
)
def test_a_name_of_the_vendor_that_nobody_has_priced_has_no_price(name: str) -> None:
    assert cost(TWO_MODELS, name) is None
    assert TWO_MODELS.is_gpu_like(f"{V}/{name}")


def test_what_is_no_gpu_has_no_price_either() -> None:
    assert TWO_MODELS.price("example.com/fpga") is None
    assert not TWO_MODELS.is_gpu_like("example.com/fpga")
    other = Inventory(gpusettings.read("resourcePrefixes: [nvidia.com/, gpu.example.org/]"))
    assert other.is_gpu_like("gpu.example.org/gpu")
    assert other.price("gpu.example.org/gpu") is None, "the table is of NVIDIA's names"


def test_a_revision_counts_only_what_can_change_a_price() -> None:
    of = inventory(("n1", labels(), {f"{V}/gpu": 8}), ("cpu-only", {"zone": "a"}, {"cpu": 4}))
    of.put_gpus(gpunode("n1", [gpu()], resource(f"{V}/gpu", "GPU-1")))
    before = of.revision
    of.put_node("n1", labels(A100_40, **{"gfd.timestamp": "1700000000"}), {f"{V}/gpu": "8"})
    of.put_node("cpu-only", {"zone": "b"}, {"cpu": "8"})
    beat = gpunode("n1", [gpu()], resource(f"{V}/gpu", "GPU-1"))
    of.put_gpus(beat)
    of.drop_node("nobody")
    of.drop_gpus("nobody")
    assert of.revision == before
    of.put_node("n1", labels(A100_80), {f"{V}/gpu": "8"})
    of.put_gpus(gpunode("n1", [], resource(f"{V}/gpu", "GPU-1")))
    assert of.revision == before + 2
    assert cost(of, "gpu") == (56, 56, 81920)
    of.drop_gpus("n1")
    of.drop_node("n1")
    assert of.offered() == []


def test_a_node_that_is_gone_offers_nothing_though_its_agents_word_is_left() -> None:
    of = inventory(("n1", labels(), {f"{V}/gpu": 8}))
    of.put_gpus(gpunode("n1", [gpu()], resource(f"{V}/gpu", "GPU-1")))
    of.drop_node("n1")
    assert of.offered() == []


def test_where_nodes_cannot_be_read_agents_say_what_is_offered_and_labels_rule_nobody_out() -> None:
    of = Inventory(has_nodes=False)
    of.put_gpus(gpunode("n1", [gpu()], resource(f"{V}/gpu", "GPU-1")))
    assert of.offered() == [f"{V}/gpu"]
    assert cost(of, "gpu", selecting(nodeSelector={"zone": "a"})) == (56, 56, 40960)
    assert cost(of, "gpu", Placement(node="n2")) == (56, 56, 278 * 1024)
