"""Ids of devices, in every form of which device plugins are known."""

import pytest

from labquota.api import GPU, MigDevice
from labquota.quota.deviceids import Device, DeviceKey, Devices, base, is_uuid

A, B = "GPU-5c8a1ef0-9f5d-4b53-8f53-0a3c0f2f7a11", "GPU-0b7d2c44-1111-2222-3333-444455556666"
FIRST, SECOND = "MIG-aaaaaaaa-0000-5000-8000-000000000001", "MIG-aaaaaaaa-0000-5000-8000-000000000002"


def mig(uuid: str, gpu_instance: int, compute_instance: int = 0, index: int = -1) -> MigDevice:
    return MigDevice(
        uuid=uuid,
        gpu_instance=gpu_instance,
        compute_instance=compute_instance,
        profile="1g.5gb",
        index=index,
    )


DEVICES = Devices(
    [
        GPU(index=0, uuid=A, minor=3, mig_devices=(mig(FIRST, 7, 0, index=0), mig(SECOND, 9, 1, index=4))),
        GPU(index=1, uuid=B),
    ]
)


@pytest.mark.parametrize(
    ("device_id", "key"),
    [
        (A, DeviceKey(A)),
        (f"{B}::3", DeviceKey(B)),
        (FIRST, DeviceKey(A, 7, 0)),
        (f"{SECOND}::0", DeviceKey(A, 9, 1)),
        (f"MIG-{A}/9/1", DeviceKey(A, 9, 1)),
        (f"MIG-{A}/7/0::12", DeviceKey(A, 7, 0)),
        ("nvidia3", DeviceKey(A)),
        ("nvidia3/gi9", DeviceKey(A, 9, 1)),
        ("nvidia3/gi7/vgpu2", DeviceKey(A, 7, 0)),
        ("nvidia1", DeviceKey(B)),
        ("0", DeviceKey(A)),
        ("1::1", DeviceKey(B)),
        ("0:0", DeviceKey(A, 7, 0)),
        ("0:4", DeviceKey(A, 9, 1)),
        ("0:4::1", DeviceKey(A, 9, 1)),
    ],
)
def test_an_id_of_any_form_means_one_device(device_id: str, key: DeviceKey) -> None:
    found = DEVICES.find(device_id)
    assert found is not None
    assert found.key == key
    assert DEVICES.at(key) == found


@pytest.mark.parametrize(
    "device_id",
    [
        "",
        "::1",
        "GPU-ffffffff-0000-0000-0000-000000000000",
        f"MIG-{A}/8/0",
        f"MIG-{A}/7/1",
        "nvidia0",  # the GPU of index 0 is /dev/nvidia3
        "nvidia3/gi8",
        "nvidia1/gi0",
        "2",
        "0:1",  # handles of MIG devices have gaps
        "1:0",
        "0:0:0",
        "9" * 5000,
        "0000:3b:00.0",
    ],
)
def test_an_id_of_no_device_of_the_inventory_means_none(device_id: str) -> None:
    assert DEVICES.find(device_id) is None


def test_without_the_index_of_mig_devices_their_order_counts() -> None:
    devices = Devices([GPU(index=0, uuid=A, mig_devices=(mig(FIRST, 7), mig(SECOND, 9)))])
    found = devices.find("0:1")
    assert found is not None
    assert found.key == DeviceKey(A, 9, 0)


def test_a_mig_device_made_again_is_found_by_its_new_uuid_in_its_old_place() -> None:
    again = Devices([GPU(index=0, uuid=A, mig_devices=(mig(SECOND, 7),))])
    assert again.find(FIRST) is None
    assert again.at(DeviceKey(A, 7, 0)) == again.find(SECOND)


def test_gpus_that_cannot_be_read_do_not_stand_for_each_other() -> None:
    lost = Devices([GPU(index=0, uuid=""), GPU(index=1, uuid=""), GPU(index=2, uuid=B)])
    assert lost.find("") is None
    assert lost.at(DeviceKey("")) is None
    assert lost.find("2") == Device(GPU(index=2, uuid=B))


def test_only_a_uuid_says_by_itself_that_it_is_a_gpus() -> None:
    for device_id in (A, FIRST, f"{A}::1", f"MIG-{A}/7/0"):
        assert is_uuid(device_id), device_id
    for device_id in ("0", "0:1", "nvidia0/gi7", "GPU-", "0000:3b:00.0", "mlx5_0"):
        assert not is_uuid(device_id), device_id


def test_a_replica_is_of_what_stands_before_its_number() -> None:
    assert base("0:1::2") == "0:1"
    assert base(f"MIG-{A}/7/0::0") == f"MIG-{A}/7/0"
    assert base("odd::name") == "odd::name"
