"""Events: an XID is given once to each set that registered its GPU, and waiting ends when it was told to."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nvml import Node
from nvml.asking import PATHS, ask

A100 = "A100-SXM4-40GB"
REGISTER = "gpus = [nv.nvmlDeviceGetHandleByIndex(i) for i in range(2)]; events = nv.nvmlEventSetCreate()"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path / "node.yaml", A100, A100)
    node.cut(node.gpus[0], ["3g.20gb", "3g.20gb"])
    return node.write()


def _waiting(node: Node, gpu: int) -> "subprocess.Popen[str]":
    script = f"""
import json, pynvml as nv
nv.nvmlInit()
{REGISTER}
nv.nvmlDeviceRegisterEvents(gpus[{gpu}], nv.nvmlEventTypeXidCriticalError, events)
print("ready", flush=True)
while True:
    try:
        data = nv.nvmlEventSetWait_v2(events, 3000)
    except nv.NVMLError as error:
        print(json.dumps(error.value), flush=True)
        break
    gpu = data.device and nv.nvmlDeviceGetIndex(data.device)
    print(json.dumps([gpu, data.eventType, data.eventData, data.gpuInstanceId, data.computeInstanceId]), flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": PATHS, **node.environment()},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _lines(process: "subprocess.Popen[str]", count: int) -> list[list[int]]:
    assert process.stdout is not None
    return [json.loads(process.stdout.readline()) for _ in range(count)]


def test_xids_are_given_once_and_in_their_order(node: Node) -> None:
    with _waiting(node, 0) as process:
        node.xid(node.gpus[0], 31)
        node.xid(node.gpus[0], 43, node.gpus[0].instances[1])
        node.write()
        anywhere = 0xFFFFFFFF
        assert _lines(process, 2) == [[0, 8, 31, anywhere, anywhere], [0, 8, 43, 2, 0]]
        node.xid(node.gpus[0], 45)
        node.write()
        assert _lines(process, 1) == [[0, 8, 45, anywhere, anywhere]]
        process.kill()


def test_what_was_there_before_and_what_others_have_is_not_given(node: Node) -> None:
    node.xid(node.gpus[0], 31)
    node.write()
    with _waiting(node, 0) as process:
        node.xid(node.gpus[1], 43)
        node.xid(node.gpus[0], 45)
        node.write()
        assert [each[2] for each in _lines(process, 1)] == [45]
        process.kill()


def test_an_event_of_a_gpu_that_it_takes_off_the_bus_is_still_given(node: Node) -> None:
    after = Node(node.path.with_name("after.yaml"), A100, A100)
    after.xid(after.gpus[1], 79)
    after.write()
    answers = ask(
        node.environment(),
        REGISTER,
        "nv.nvmlDeviceRegisterEvents(gpus[1], nv.nvmlEventTypeXidCriticalError, events)",
        "import os",
        f"os.replace({str(after.path)!r}, {str(node.path)!r})",
        "event = nv.nvmlEventSetWait_v2(events, 3000)",
        "[event.eventData, code(nv.nvmlDeviceGetUUID, event.device), code(nv.nvmlDeviceGetUUID, gpus[0])]",
    )
    assert answers == [79, 15, 0]


def test_waiting_ends_with_a_time_out_when_it_is_over(node: Node) -> None:
    began = time.monotonic()
    answer = ask(
        node.environment(),
        "import time",
        REGISTER,
        "nv.nvmlDeviceRegisterEvents(gpus[0], nv.nvmlEventTypeXidCriticalError, events)",
        "began = time.monotonic()",
        "got = code(nv.nvmlEventSetWait_v2, events, 300)",
        "took = time.monotonic() - began",
        "at_once = code(nv.nvmlEventSetWait_v2, events, 0)",
        "[got, took, at_once, code(nv.nvmlEventSetFree, events)]",
    )
    assert time.monotonic() - began < 30
    assert (answer[0], answer[2], answer[3]) == (10, 10, 0)
    assert 0.29 < answer[1] < 5


def test_waiting_lets_other_threads_call(node: Node) -> None:
    took = ask(
        node.environment(),
        "import threading, time",
        REGISTER,
        "nv.nvmlDeviceRegisterEvents(gpus[0], nv.nvmlEventTypeXidCriticalError, events)",
        "waiter = threading.Thread(target=lambda: code(nv.nvmlEventSetWait_v2, events, 2000))",
        "waiter.start()",
        "began = time.monotonic()",
        "[nv.nvmlDeviceGetUUID(gpus[0]) for _ in range(100)]",
        "took = time.monotonic() - began",
        "waiter.join()",
        "took",
    )
    assert took < 1.5


def test_only_events_that_are_supported_can_be_registered(node: Node) -> None:
    assert ask(
        node.environment(),
        REGISTER,
        "types = nv.nvmlDeviceGetSupportedEventTypes(gpus[0])",
        "mig = nv.nvmlDeviceGetMigDeviceHandleByIndex(gpus[0], 0)",
        "register = nv.nvmlDeviceRegisterEvents",
        "[types, code(register, gpus[0], 0x8000, events), code(register, mig, 8, events),"
        " code(register, gpus[0], types, events)]",
    ) == [0x10B, 3, 3, 0]
