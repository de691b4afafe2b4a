"""The kubelet's socket, against gRPC's own server and protobuf's own messages."""

import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubelet.messages import AllocatableReply, ListReply
from kubelet.serving import Serving
from labquota.agent import podresources, wire
from labquota.agent.podresources import Grant, Offer, PodResources, PodResourcesError

WORDS = st.text(max_size=8)
GRANTS = st.builds(Grant, WORDS, WORDS, WORDS, WORDS, WORDS)


def reply_of(grants: list[Grant]) -> bytes:
    reply = ListReply()
    for each in grants:
        pod = reply.pods.add(name=each.pod, namespace=each.namespace)
        container = pod.containers.add(name=each.container, cpus=[0, 5, 2**40])
        container.devices.add(resource="example.com/none", topology={"nodes": [{"id": 3}]})
        container.devices.add(resource=each.resource, ids=[each.device], topology={"nodes": [{"id": 1}]})
        container.memory.add(kind="memory", size=2**33)
    return bytes(reply.SerializeToString())


ONE = Grant("lab", "train", "main", "nvidia.com/gpu", "GPU-1")
TWO = Grant("lab", "train", "side", "nvidia.com/mig-1g.5gb", "MIG-1::0")


@pytest.fixture
def served() -> Iterator[Serving]:
    def offered() -> bytes:
        reply = AllocatableReply(cpus=[1])
        reply.devices.add(resource="nvidia.com/gpu", ids=["GPU-1", "GPU-2"])
        reply.devices.add(resource="nvidia.com/gpu", ids=["GPU-3"])
        return bytes(reply.SerializeToString())

    with tempfile.TemporaryDirectory() as folder:  # the path of a socket has to be short
        serving = Serving(Path(folder) / "kubelet.sock", lambda: reply_of([ONE, TWO]), offered).start()
        yield serving
        serving.close()


async def test_what_is_offered_and_given_is_read_over_the_socket(served: Serving) -> None:
    kubelet = PodResources(str(served.path))
    assert await kubelet.given() == [ONE, TWO]
    assert await kubelet.offered() == [Offer("nvidia.com/gpu", f"GPU-{n}") for n in (1, 2, 3)]
    assert await kubelet.given() == [ONE, TWO], "over the same connection"
    kubelet.close()


async def test_a_kubelet_that_comes_back_is_found_again(served: Serving) -> None:
    kubelet = PodResources(str(served.path))
    assert await kubelet.given() == [ONE, TWO]
    served.close()
    with pytest.raises(PodResourcesError) as failed:
        await kubelet.given()
    assert failed.value.reason in {"NoConnection", "BadAnswer", "Refused"}
    again = Serving(served.path, lambda: reply_of([TWO]), lambda: b"").start()
    try:
        assert await kubelet.given() == [TWO]
        kubelet.close()
    finally:
        again.close()


async def test_no_socket_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(PodResourcesError) as failed:
        await PodResources(str(tmp_path / "none.sock")).given()
    assert failed.value.reason == "NoConnection"
    assert str(failed.value) == (
        f"the kubelet's PodResources at {tmp_path}/none.sock: no connection: No such file or directory"
    )


async def test_a_kubelet_that_hangs_is_given_up(served: Serving) -> None:
    served.stuck = True
    kubelet = PodResources(str(served.path), timeout=0.2)
    began = time.monotonic()
    with pytest.raises(PodResourcesError, match=r"no answer to List within 0\.2 s") as failed:
        await kubelet.given()
    assert failed.value.reason == "TimedOut"
    assert time.monotonic() - began < 2
    served.stuck = False
    assert await kubelet.given() == [ONE, TWO]
    kubelet.close()


async def test_a_socket_that_takes_connections_and_says_nothing_is_given_up() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as mute:
        path = f"{folder}/mute.sock"
        mute.bind(path)
        mute.listen()
        with pytest.raises(PodResourcesError, match="no answer to List"):
            await PodResources(path, timeout=0.2).given()


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit", "RateLimited"),
        (grpc.StatusCode.UNIMPLEMENTED, "unknown method", "NotServed"),
        (grpc.StatusCode.INTERNAL, "checkpoint is broken", "Refused"),
    ],
)
async def test_a_refusal_is_told_in_the_kubelets_words(
    served: Serving, status: grpc.StatusCode, said: str, reason: str
) -> None:
    served.refuses = status, said
    kubelet = PodResources(str(served.path))
    with pytest.raises(PodResourcesError, match=f"List answered {status.name}: {said}") as failed:
        await kubelet.given()
    assert failed.value.reason == reason


async def test_an_answer_that_is_no_message_is_told() -> None:
    with tempfile.TemporaryDirectory() as folder:
        serving = Serving(Path(folder) / "s", lambda: b"\x0a\xff\x01", lambda: b"\x0f").start()
        kubelet = PodResources(str(serving.path))
        try:
            for call, what in ((kubelet.given, "field 1 is cut off"), (kubelet.offered, "unknown kind 7")):
                with pytest.raises(PodResourcesError, match=f"cannot be read: .*{what}") as failed:
                    await call()
                assert failed.value.reason == "BadAnswer"
        finally:
            serving.close()


@given(st.lists(GRANTS))
def test_every_reply_that_protobuf_writes_is_read_as_it_was_meant(grants: list[Grant]) -> None:
    assert list(podresources.grants(reply_of(grants))) == grants


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (podresources.grants, podresources.offers):
        try:
            found = list(read(data))
        except wire.WireError:
            continue
        assert all(isinstance(text, str) for each in found for text in each)


@given(st.lists(GRANTS, min_size=1, max_size=3), st.data())
def test_a_reply_that_is_cut_off_is_refused_or_ends_between_two_pods(
    grants: list[Grant], data: st.DataObject
) -> None:
    whole = reply_of(grants)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        found = list(podresources.grants(cut))
    except wire.WireError:
        return
    assert found == grants[: len(found)]


def test_a_number_of_any_length_ends() -> None:
    with pytest.raises(wire.WireError, match="a number is too long"):
        list(wire.fields(b"\x08" + b"\xff" * 11))
    assert list(wire.fields(b"\x08\x96\x01\x12\x01a\x19" + b"\0" * 8 + b"\x25" + b"\0" * 4)) == [(2, b"a")]
    with pytest.raises(wire.WireError, match="field 3 is cut off"):
        list(wire.fields(b"\x19" + b"\0" * 7))
    with pytest.raises(wire.WireError, match="the number 0"):
        list(wire.fields(b"\x02\x00"))
