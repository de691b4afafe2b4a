"""Every way to write an amount or a resource key wrong is refused by the API server, with its path and a remedy."""

import json
from typing import Any

import pytest

from cluster.schema_objects import Object, Resources, Wrong, group, override
from controlplane import ControlPlane


def amount(key: str, value: Any) -> Object:
    return group(aggregate={key: value})


QUANTITY, NEGATIVE = (
    'is not a quantity: write a number such as 3, 500m or 80Gi, or "unlimited"',
    "write 0 for none",
)
UNKNOWN, WHOLE = (
    "cannot be limited: use gpu, gpu-equivalents, gpu-memory, pods, cpu",
    "is counted in whole units: write a whole number",
)
TWICE, FRACTION = "is set twice", "takes no fraction: only gpu-equivalents does, as in 4/7"
TYPE = "must be of type"

WRONG = [
    # Amounts
    Wrong("a negative number", amount("cpu", -1), "spec.aggregate[cpu]", NEGATIVE),
    Wrong("a negative quantity", amount("memory", "-5Gi"), "spec.aggregate[memory]", NEGATIVE),
    Wrong("a negative limit of one pod", group(perPod={"gpu": -2}), "spec.perPod[gpu]", NEGATIVE),
    Wrong(
        "a negative limit in an override", override(aggregate={"gpu": -1}), "spec.aggregate[gpu]", NEGATIVE
    ),
    Wrong("a word for a quantity", amount("cpu", "many"), "spec.aggregate[cpu]", QUANTITY),
    Wrong("a misspelt unlimited", amount("cpu", "Unlimited"), "spec.aggregate[cpu]", QUANTITY),
    Wrong("a misspelt suffix", amount("memory", "80GiB"), "spec.aggregate[memory]", QUANTITY),
    Wrong("an empty quantity", amount("gpu", ""), "spec.aggregate[gpu]", QUANTITY),
    Wrong("a quantity with a blank", amount("memory", "80 Gi"), "spec.aggregate[memory]", QUANTITY),
    Wrong("digits of another script", amount("gpu", "\uff13"), "spec.aggregate[gpu]", QUANTITY),
    Wrong("a huge exponent", amount("cpu", "1e999999999"), "spec.aggregate[cpu]", QUANTITY),
    Wrong(
        "a division by zero", amount("gpu-equivalents", "4/0"), "spec.aggregate[gpu-equivalents]", QUANTITY
    ),
    Wrong(
        "an endless quantity", amount("cpu", "1" * 41), "spec.aggregate.cpu", "may not be more than 40 bytes"
    ),
    Wrong("a decimal without quotes", amount("cpu", 0.5), "spec.aggregate.cpu", TYPE),
    Wrong("yes for an amount", amount("gpu", True), "spec.aggregate.gpu", TYPE),
    Wrong("a list of amounts", group(aggregate=["gpu"]), "spec.aggregate", TYPE),
    Wrong("half a GPU", amount("gpu", "0.5"), "spec.aggregate", f'["gpu"] {WHOLE}'),
    Wrong("half a pod", amount("pods", "500m"), "spec.aggregate", f'["pods"] {WHOLE}'),
    Wrong("half a device", amount("a.io/fpga", "1.5"), "spec.aggregate", f'["a.io/fpga"] {WHOLE}'),
    Wrong("a fraction of a core", amount("cpu", "4/7"), "spec.aggregate", f'["cpu"] {FRACTION}'),
    Wrong("a fraction of a GPU unit", group(perPod={"gpu": "4/7"}), "spec.perPod", f'["gpu"] {FRACTION}'),
    # Keys
    Wrong("an unknown key", amount("gpus", 1), "spec.aggregate", f'["gpus"] {UNKNOWN}'),
    Wrong("an unknown key of one pod", group(perPod={"core": 1}), "spec.perPod", '["core"]'),
    Wrong("an unknown key in an override", override(perPod={"core": 1}), "spec.perPod", '["core"]'),
    Wrong("a key in capitals", amount("GPU", 1), "spec.aggregate", '["GPU"]'),
    Wrong("a key of Kubernetes' own domain", amount("kubernetes.io/x", 1), "spec.aggregate", UNKNOWN),
    Wrong("a limit on requests.gpu", amount("requests.gpu", 1), "spec.aggregate", UNKNOWN),
    Wrong("limits. of a device", amount("limits.nvidia.com/gpu", 1), "spec.aggregate", UNKNOWN),
    Wrong("limits. of huge pages", amount("limits.hugepages-2Mi", 1), "spec.aggregate", UNKNOWN),
    Wrong("huge pages without a size", amount("hugepages-", 1), "spec.aggregate", UNKNOWN),
    Wrong("a device without a domain", amount("/gpu", 1), "spec.aggregate", UNKNOWN),
    Wrong("a device with a blank", amount("nvidia.com/mig 1g", 1), "spec.aggregate", UNKNOWN),
    Wrong("a device with an endless name", amount(f"a.io/{'x' * 64}", 1), "spec.aggregate", UNKNOWN),
    Wrong("cpu twice", group(aggregate={"cpu": 1, "requests.cpu": 2}), "spec.aggregate", f'["cpu"] {TWICE}'),
    Wrong("a device twice", group(perPod={"a.io/x": 1, "requests.a.io/x": 1}), "spec.perPod", TWICE),
    Wrong(
        "too many keys", group(aggregate={f"a.io/x{n}": 1 for n in range(65)}), "spec.aggregate", "at most 64"
    ),
]


@pytest.fixture(scope="module")
def resources(control_plane: ControlPlane) -> Resources:
    return Resources(control_plane)


@pytest.mark.parametrize("wrong", WRONG, ids=[wrong.name for wrong in WRONG])
def test_an_amount_written_wrong_is_refused_with_its_path(resources: Resources, wrong: Wrong) -> None:
    resources.refuses(wrong)


def test_every_unknown_key_is_named(resources: Resources) -> None:
    _, answer = resources.dry_run(group(aggregate={"gpus": 1, "cores": 2, "cpu": 3}))
    named = answer["message"].partition(" cannot be limited")[0]
    assert sorted(json.loads(named[named.rindex("[") :])) == ["cores", "gpus"]
