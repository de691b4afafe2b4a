import pytest

from labquota.quota import resources
from labquota.quota.resources import MAX, QuantityError, UnknownResource


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("cpu", "requests.cpu"),
        ("memory", "requests.memory"),
        ("ephemeral-storage", "requests.ephemeral-storage"),
        ("requests.cpu", "requests.cpu"),
        ("limits.memory", "limits.memory"),
        ("hugepages-2Mi", "requests.hugepages-2Mi"),
        ("requests.hugepages-1Gi", "requests.hugepages-1Gi"),
        ("requests.nvidia.com/gpu", "nvidia.com/gpu"),
        ("nvidia.com/mig-3g.20gb", "nvidia.com/mig-3g.20gb"),
        ("pods", "pods"),
        ("gpu", "gpu"),
        ("gpu-equivalents", "gpu-equivalents"),
        ("gpu-memory", "gpu-memory"),
    ],
)
def test_every_way_to_write_a_resource_has_one_key(written: str, key: str) -> None:
    assert resources.canonical(written) == key
    assert resources.canonical(key) == key


@pytest.mark.parametrize(
    "written",
    [
        "",
        "cpus",
        "GPU",
        "requests.pods",
        "limits.gpu",
        "limits.nvidia.com/gpu",
        "hugepages-",
        "hugepages-2MB",
        "a//b",
        "/b",
        "a/",
        "a b/c",
        "count//pods",
    ],
)
def test_a_key_that_can_never_match_a_pod_is_refused(written: str) -> None:
    with pytest.raises(UnknownResource, match=r'^resource ".*" cannot be limited: use gpu, .* requests\.cpu'):
        resources.canonical(written)


@pytest.mark.parametrize(
    ("key", "value", "amount"),
    [
        ("requests.cpu", "96", 96_000),
        ("requests.cpu", "500m", 500),
        ("requests.cpu", "0.0001", 1),
        ("requests.memory", "80Gi", 80 * 2**30),
        ("requests.memory", "1.5", 2),
        ("gpu-memory", "80G", 80 * 10**9),
        ("gpu", 3, 3),
        ("pods", "2e3", 2000),
        ("nvidia.com/gpu", "0", 0),
        ("requests.cpu", "1e30", MAX),
        ("gpu", "unlimited", None),
        ("gpu-equivalents", "2", 112),
        ("gpu-equivalents", "4/7", 32),
        ("gpu-equivalents", "0.571", 32),
        ("gpu-equivalents", "1/3", 19),
        ("gpu-equivalents", "500m", 28),
        ("gpu-equivalents", "1e30", MAX),
    ],
)
def test_a_limit_is_read_in_base_units(key: str, value: str | int, amount: int | None) -> None:
    assert resources.parse_limit(key, value) == amount


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("gpu", "2.5", 'quantity "2.5" is not whole: gpu comes in whole units'),
        (
            "nvidia.com/mig-1g.5gb",
            "500m",
            'quantity "500m" is not whole: nvidia.com/mig-1g.5gb comes in whole units',
        ),
        ("pods", -1, 'quantity "-1" is negative: write 0 or more'),
        ("gpu", "4/7", 'quantity "4/7" is not a number with an optional suffix, as in "2", "500m", "1.5Gi"'),
        ("gpu-equivalents", "4/0", 'quantity "4/0" divides by zero'),
        ("gpu", True, "quantity true is not a number: write one, or unlimited"),
        (
            "gpu",
            "Unlimited",
            'quantity "Unlimited" is not a number with an optional suffix, as in "2", "500m", "1.5Gi"',
        ),
    ],
)
def test_a_wrong_limit_is_refused_in_one_line(key: str, value: str | int, line: str) -> None:
    with pytest.raises(QuantityError) as caught:
        resources.parse_limit(key, value)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("key", "amount", "text"),
    [
        ("requests.cpu", 96_000, "96"),
        ("limits.cpu", 500, "500m"),
        ("requests.cpu", 1500, "1500m"),
        ("requests.memory", 80 * 2**30, "80Gi"),
        ("requests.memory", 3 * 2**29, "1536Mi"),
        ("requests.memory", 5 * 10**9, "5G"),
        ("requests.memory", 2**30 + 1, "1073741825"),
        ("requests.hugepages-2Mi", 2**22, "4Mi"),
        ("gpu-memory", 0, "0"),
        ("gpu", 3, "3"),
        ("pods", 2000, "2000"),
        ("gpu-equivalents", 112, "2"),
        ("gpu-equivalents", 32, "0.571"),
        ("gpu-equivalents", 28, "0.5"),
        ("gpu-equivalents", 0, "0"),
        ("requests.cpu", -1500, "-1500m"),
    ],
)
def test_an_amount_is_shown_as_people_write_it(key: str, amount: int, text: str) -> None:
    assert resources.show(key, amount) == text


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("gpu", "GPU"),
        ("gpu-equivalents", "GPU"),
        ("gpu-memory", "GPU"),
        ("nvidia.com/mig-1g.5gb", "GPU"),
        ("requests.cpu", "CPU"),
        ("limits.cpu", "CPU"),
        ("limits.memory", "MEMORY"),
        ("pods", "PODS"),
        ("requests.ephemeral-storage", "RESOURCE"),
        ("requests.hugepages-2Mi", "RESOURCE"),
        ("example.com/widget", "RESOURCE"),
    ],
)
def test_a_resource_belongs_to_the_family_of_its_code(key: str, word: str) -> None:
    assert resources.family(key) == word
