"""When NVML is asked, what is said while it does not answer, and what the agent's port shows."""

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from labquota.agent import scanner as scanners
from labquota.agent.failures import DriverChanged, Unavailable
from labquota.agent.operations import Operations
from labquota.agent.scanner import LABEL, Scanner
from labquota.agent.series import Series
from labquota.api import GPU, Condition, DeviceHolder, GPUNodeStatus, MigDevice

OLD = GPUNodeStatus(driver_version="550", gpus=(GPU(index=0, uuid="GPU-old"),))


class Found(NamedTuple):
    driver_version: str = "570"
    nvml_version: str = "12"
    gpus: tuple[GPU, ...] = (GPU(index=0, uuid="GPU-new"),)
    processes: tuple[Any, ...] = ()
    unlisted: Mapping[str, str] = MappingProxyType({})


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC) + dt.timedelta(seconds=self.seconds)


class Nvml:
    """Answers scans with what a test gives, in order, and the last one for ever."""

    def __init__(self, *answers: Found | BaseException) -> None:
        self.answers, self.asked = list(answers), 0
        self.before: list[Iterable[GPU]] = []

    def scan(self, before: Iterable[GPU]) -> Found:
        self.before.append(before)
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, BaseException):
            raise answer
        return answer


def said(scanner: Scanner) -> dict[str, tuple[str, str]]:
    return {each.type: (each.status, each.reason) for each in scanner.statements}


async def test_a_scan_is_due_at_once_and_then_at_its_interval() -> None:
    nvml, clock = Nvml(Found()), Hand()
    scanner = Scanner(nvml.scan, clock, 30, OLD)
    assert said(scanner) == {"NVMLAvailable": ("False", "NotScanned"), "Stale": ("True", "NotScanned")}
    for _ in range(3):
        await scanner.look(None)
    assert nvml.asked == 1
    assert (scanner.driver, scanner.gpus[0].uuid) == ("570", "GPU-new")
    assert said(scanner) == {"NVMLAvailable": ("True", "Scanned"), "Stale": ("False", "Scanned")}
    assert nvml.before == [OLD.gpus], "a GPU that is lost keeps what was known of it"
    clock.seconds += 30
    await scanner.look("true")
    assert nvml.asked == 2
    scanner.hurry()
    await scanner.look(None)
    assert nvml.asked == 3


@pytest.mark.parametrize("label", ["false", "paused-for-mig-change", "paused-for-driver-upgrade", "", "True"])
async def test_any_other_value_of_the_label_keeps_nvml_closed(label: str) -> None:
    nvml = Nvml(Found())
    scanner = Scanner(nvml.scan, Hand(), 30, OLD)
    await scanner.look(label)
    assert nvml.asked == 0
    assert said(scanner) == {"NVMLAvailable": ("Unknown", "Paused"), "Stale": ("True", "Paused")}
    assert f"{LABEL}={label}" in scanner.statements[0].message
    assert scanner.gpus == OLD.gpus
    await scanner.look("true")
    await scanner.look(label)
    await scanner.look("true")
    assert nvml.asked == 2, "the first thing to do when it is over"


@pytest.mark.parametrize("reason", ["DriverNotLoaded", "NoPermission", "LibraryNotFound", "NVMLError"])
async def test_without_nvml_the_last_inventory_stays_and_is_stale(reason: str) -> None:
    clock = Hand()
    scanner = Scanner(Nvml(Found(), Unavailable(reason, f"nvmlInit: {reason}")).scan, clock, 30, OLD)
    await scanner.look(None)
    clock.seconds += 30
    await scanner.look(None)
    assert said(scanner) == {"NVMLAvailable": ("False", reason), "Stale": ("True", reason)}
    assert scanner.statements[1].message == f"nvmlInit: {reason}"
    assert scanner.gpus[0].uuid == "GPU-new"
    assert scanner.processes == ()


async def test_a_replaced_driver_is_passed_on_after_it_is_said() -> None:
    scanner = Scanner(Nvml(DriverChanged("code 18")).scan, Hand(), 30, OLD)
    with pytest.raises(DriverChanged):
        await scanner.look(None)
    assert said(scanner)["Stale"] == ("True", "DriverChanged")


async def test_a_fault_of_ours_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    scanner = Scanner(Nvml(ZeroDivisionError("oops")).scan, Hand(), 30, OLD)
    await scanner.look(None)
    assert scanner.statements[0].reason == "Unexpected"
    assert "a scan failed" in caplog.text


async def test_processes_that_may_not_be_seen_are_said() -> None:
    nvml = Nvml(Found(unlisted={"GPU-new": "no permission (code 4)"}))
    scanner = Scanner(nvml.scan, Hand(), 30, OLD)
    await scanner.look(None)
    assert scanner.statements[0].message == (
        "NVML answers, but tells no processes of 1 GPUs: no permission (code 4)"
    )


async def test_an_nvml_that_hangs_keeps_nobody_waiting_and_is_not_asked_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a GPU has fallen off the bus, a call may never return."""
    monkeypatch.setattr(scanners, "_PATIENCE", 0.05)
    released, asked = threading.Event(), []

    def hangs(_: Iterable[GPU]) -> Found:
        asked.append(1)
        released.wait(10)
        return Found()

    clock = Hand()
    scanner = Scanner(hangs, clock, 30, OLD)
    began = time.monotonic()
    for _ in range(3):
        await scanner.look(None)
        clock.seconds += 30
        assert said(scanner) == {"NVMLAvailable": ("False", "TimedOut"), "Stale": ("True", "TimedOut")}
        assert "asked at 12:00:00 UTC and has not answered yet" in scanner.statements[0].message
    assert (len(asked), time.monotonic() - began < 3) == (1, True)
    released.set()
    await asyncio.sleep(0.2)
    await scanner.look(None)
    assert said(scanner)["Stale"] == ("False", "Scanned")


# --- the port ---------------------------------------------------------------------------------------------------------

MIG = MigDevice(uuid="MIG-a", gpu_instance=7, compute_instance=0, profile="1g.5gb")
STATUS = GPUNodeStatus(
    gpus=(
        GPU(index=0, uuid="GPU-a", minor=2, pci_address="00000000:3B:00.0", model="NVIDIA A100", mig_devices=(MIG,)),
    ),
    holders=(
        DeviceHolder(
            resource="nvidia.com/mig-1g.5gb", device="MIG-a", gpu="GPU-a", gpu_instance=7, compute_instance=0,
            namespace="lab", pod='odd"name', container="main", pod_uid="u1",
        ),
    ),
    conditions=(
        Condition(
            type="Stale", status="False", reason="Scanned", message="", last_transition_time=Hand().now()
        ),
    ),
)  # fmt: skip


class Told:
    status = STATUS
    writes = 3

    def owner_of(self, holder: DeviceHolder) -> str:
        return f"user:of-{holder.pod_uid}"


@contextmanager
def registered() -> Iterator[CollectorRegistry]:
    registry = CollectorRegistry()
    registry.register(Series("node-1", Told()))
    yield registry


def test_series_join_with_dcgm_exporters_by_its_own_labels() -> None:
    with registered() as registry:
        text = generate_latest(registry).decode()
    device = (
        'GPU_I_ID="7",GPU_I_PROFILE="1g.5gb",Hostname="node-1",UUID="GPU-a",device="nvidia2",gpu="0",'
        'modelName="NVIDIA A100",pci_bus_id="00000000:3B:00.0"'
    )
    lines = {_sorted(line) for line in text.splitlines() if not line.startswith("#")}
    assert f"labquota_gpu_info{{{device}}} 1.0" in lines
    assert (
        _sorted(
            f'labquota_gpu_holder{{{device},container="main",namespace="lab",owner="user:of-u1",pod="odd\\"name"}} 1.0'
        )
        in lines
    )
    whole = device.replace('GPU_I_ID="7",GPU_I_PROFILE="1g.5gb"', 'GPU_I_ID="",GPU_I_PROFILE=""')
    assert f"labquota_gpu_info{{{whole}}} 1.0" in lines
    assert 'labquota_gpu_node_condition{Hostname="node-1",condition="Stale",reason="Scanned"} 0.0' in lines
    assert "labquota_gpu_unaccounted_processes 0.0" in lines
    assert "labquota_gpu_node_writes 3.0" in lines


def _sorted(line: str) -> str:
    """A sample with its labels in order."""
    name, brace, rest = line.partition("{")
    if not brace:
        return line
    labels, _, value = rest.rpartition("} ")
    return f"{name}{{{','.join(sorted(labels.split(',')))}}} {value}"


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_the_port_answers_what_probes_and_scrapers_ask_and_nothing_else() -> None:
    ready = False
    with registered() as registry:
        server = await Operations(registry, lambda: ready).listen("127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        end = b" HTTP/1.1\r\nHost: a\r\n\r\n"
        assert (await ask(port, b"GET /healthz" + end)).startswith(b"HTTP/1.1 200 OK")
        assert b"503 Service Unavailable" in await ask(port, b"GET /readyz" + end)
        ready = True
        assert (await ask(port, b"GET /readyz" + end)).endswith(b"ok\n")
        assert b"labquota_gpu_info{" in await ask(port, b"GET /metrics?a=b" + end)
        head = await ask(port, b"HEAD /metrics" + end)
        assert head.endswith(b"\r\n\r\n")
        assert b"text/plain" in head
        assert b"404 Not Found" in await ask(port, b"GET /secret" + end)
        assert b"405 Method Not Allowed" in await ask(port, b"POST /metrics" + end)
        assert await ask(port, b"nonsense") == b""
        assert await ask(port, b"GET /" + b"a" * 100_000 + end) == b""
        server.close()
        await server.wait_closed()
