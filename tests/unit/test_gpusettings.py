"""The GPU settings: read, and refused with one clear line."""

from pathlib import Path

import pytest

from labquota import gpusettings
from labquota.gpusettings import GPUSettingsError
from labquota.quota.gpusettings import DEFAULT, normal
from labquota.quota.points import Price

A100 = "NVIDIA A100-SXM4-40GB"


def test_without_a_file_everything_has_its_default() -> None:
    assert gpusettings.load("") == DEFAULT == gpusettings.read("# nothing yet\n")
    assert DEFAULT.prefixes == ("nvidia.com/",)
    assert (DEFAULT.shared_replicas, DEFAULT.not_requested) == ("Whole", "Deny")
    assert DEFAULT.runtime_classes == {"nvidia"}
    assert "kube-system" in DEFAULT.trusted_namespaces


def test_all_that_can_be_set_is_read() -> None:
    found = gpusettings.read("""
        resourcePrefixes: [nvidia.com/, gpu.example.org/]
        prices:
          NVIDIA A100-SXM4-40GB: {1g.10gb: {compute: 8, memory: 14}}
          "*": {whole: {compute: 56, memory: 56}, 1g.10gb: {compute: 14, memory: 14}}
        resources:
          nvidia.com/a100: {gpuEquivalents: "1", memory: 40Gi}
          lab.example.org/half: {gpuEquivalents: 0.5}
          nvidia.com/hostdev: {gpuEquivalents: 0}
        sharedReplicas: Divided
        notRequested: Warn
        trustedNamespaces: {names: [gpus], selector: {matchLabels: {team: admins}}}
        runtimeClasses: [nvidia, nvidia-cdi]
    """)
    price = found.price("A100-SXM4-40GB", "1g.10gb")
    assert price is not None, "as the node's label writes the model"
    assert (price.compute, price.memory) == (8, 14)
    assert found.price("NVIDIA H100 80GB HBM3", "1g.10gb") == Price(
        14, 14, 0, "the administrator's price of 1g.10gb"
    )
    assert found.price(A100, "2g.10gb") is None
    assert found.resources["nvidia.com/a100"] == Price(
        56, 56, 40 * 1024**3, "the administrator's price", whole=True
    )
    assert found.resources["lab.example.org/half"].compute == 28
    assert not found.resources["nvidia.com/hostdev"].is_gpu
    assert found.is_gpu_like("gpu.example.org/any")
    assert found.is_gpu_like("lab.example.org/half")
    assert not found.is_gpu_like("example.org/fpga")
    assert (found.shared_replicas, found.not_requested) == ("Divided", "Warn")
    assert found.trusted_namespaces == {"gpus"}
    assert found.trusted_selector is not None
    assert found.trusted_selector.match_labels == {"team": "admins"}
    assert found.runtime_classes == {"nvidia", "nvidia-cdi"}


def test_a_model_is_the_same_as_nvml_and_labels_write_it() -> None:
    assert normal(A100) == normal("NVIDIA-A100-SXM4-40GB") == normal("A100-SXM4-40GB") == "a100-sxm4-40gb"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("prices: [", "no YAML"),
        ("price: {}", "Object contains unknown field `price`"),
        ("[]", "Expected `object`, got `array`"),
        (
            "sharedReplicas: Half",
            "Invalid enum value 'Half' - at `$.sharedReplicas`",
        ),
        ("notRequested: Refuse", "Invalid enum value 'Refuse' - at `$.notRequested`"),
        (
            "resourcePrefixes: [nvidia.com]",
            'resourcePrefixes[0]: "nvidia.com" is not DOMAIN/, as in nvidia.com/, nor DOMAIN/BEGINNING',
        ),
        (
            "prices: {A100: {1g10gb: {compute: 8, memory: 14}}}",
            'prices.A100: "1g10gb" is neither whole nor a MIG profile, as in 1g.10gb or 1g.10gb+me',
        ),
        ("prices: {A100: {whole: {compute: -1, memory: 1}}}", "Expected `int` >= 0"),
        ("prices: {A100: {whole: {compute: 1}}}", "Object missing required field `memory`"),
        ('prices: {"": {whole: {compute: 1, memory: 1}}}', "prices: a model has no name"),
        (
            "resources: {a100: {gpuEquivalents: 1}}",
            'resources.a100: resource "a100" cannot be limited',
        ),
        ("resources: {cpu: {gpuEquivalents: 1}}", 'resources.cpu: "cpu" is no extended resource'),
        (
            "resources: {nvidia.com/a100: {gpuEquivalents: lots}}",
            'resources.nvidia.com/a100: quantity "lots" is not a number',
        ),
        (
            "resources: {nvidia.com/a100: {gpuEquivalents: unlimited}}",
            "resources.nvidia.com/a100: unlimited is no amount of gpu-equivalents",
        ),
        ("resources: {nvidia.com/a100: {}}", "Object missing required field `gpuEquivalents`"),
        ("trustedNamespaces: {names: [A/b]}", 'trustedNamespaces.names: "A/b" is no name of a namespace'),
        (
            "trustedNamespaces: {selector: {matchExpressions: [{key: a, operator: Is}]}}",
            "Invalid enum value 'Is'",
        ),
    ],
)
def test_a_mistake_is_one_line_that_says_where(text: str, line: str) -> None:
    with pytest.raises(GPUSettingsError) as raised:
        gpusettings.read(text)
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "gpus.yaml")
    with pytest.raises(GPUSettingsError, match=r"gpus.yaml cannot be read: No such file or directory"):
        gpusettings.load(path)
    Path(path).write_text("sharedReplicas: 1")
    with pytest.raises(GPUSettingsError, match=r"gpus\.yaml: .*\$\.sharedReplicas"):
        gpusettings.load(path)
