"""The status of one allocation, from what is known: nothing here asks anybody, and nothing is written.

A condition that never held is left out; one that held once stays, as False. What cannot be told stays as it was said.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from labquota.api import BoundDevice, Condition, GPUAllocationStatus, GPUAllocationSummary
from labquota.api.words import AllocationPhase
from labquota.controllers import conditions
from labquota.controllers.allocations.evidence import Evidence
from labquota.controllers.allocations.hardware import Reports
from labquota.controllers.allocations.problems import ALL, Finding, Problem

NOTHING: Final = GPUAllocationStatus()
_FINE: Final = {
    "Missing": "InInventory",
    "Conflict": "HeldByOne",
    "Orphaned": "PodExists",
    "Unaccounted": "NoForeignProcess",
}
_MOST_SHOWN: Final = 8


def decide(
    known: GPUAllocationStatus,
    phase: AllocationPhase,
    evidence: Evidence,
    findings: Mapping[str, Finding],
    *,
    equivalents: str,
    reports: Reports,
    generation: int,
    now: datetime,
) -> GPUAllocationStatus:
    """What is to be written.

    Args:
        known: What is written.
        phase: Where it stands.
        evidence: The devices.
        findings: What is wrong, by type of condition.
        equivalents: What it costs, as people read it.
        reports: For NVML's indices of the GPUs.
        generation: The generation that this speaks of.
        now: When.
    """
    settled = tuple(_conditions(known.conditions, findings, generation, now))
    problems = ",".join(each.type for each in settled if each.status == "True")
    bound = known.bound_time
    if bound is None and phase == "Bound":
        bound = now.replace(microsecond=0)
    return GPUAllocationStatus(
        phase=phase,
        source=evidence.source,
        devices=evidence.devices,
        summary=GPUAllocationSummary(
            node=",".join(sorted({each.node for each in evidence.devices})),
            devices=_shown(known, evidence.devices, reports),
            equivalents=equivalents,
            problems=problems,
        ),
        bound_time=bound,
        conditions=settled,
        observed_generation=generation,
    )


def turned(old: GPUAllocationStatus, new: GPUAllocationStatus) -> list[Condition]:
    """The conditions that have come to hold, hold for another reason, or hold no longer."""
    before = {each.type: each for each in old.conditions}
    found = []
    for each in new.conditions:
        known = before.get(each.type)
        holds = each.status == "True"
        if known is None or known.status != each.status:
            if holds or known is not None:
                found.append(each)
        elif holds and known.reason != each.reason:
            found.append(each)
    return found


def _conditions(
    known: tuple[Condition, ...], findings: Mapping[str, Finding], generation: int, now: datetime
) -> Iterable[Condition]:
    told = {each.type: each for each in known}
    for kind in ALL:
        finding, old = findings.get(kind), told.get(kind)
        if isinstance(finding, Problem):
            yield conditions.settle(
                known, kind, finding.reason, finding.message, holds=True, now=now, generation=generation
            )
        elif old is None:
            continue
        elif finding is None:
            yield conditions.settle(known, kind, _FINE[kind], "", holds=False, now=now, generation=generation)
        else:
            yield msgspec.structs.replace(old, observed_generation=generation)


def _shown(known: GPUAllocationStatus, devices: tuple[BoundDevice, ...], reports: Reports) -> str:
    """As it was where nothing else is known: an operator that has just begun has no report yet."""
    if devices == known.devices and not all(each.node in reports for each in devices):
        return known.summary.devices
    return _devices(devices, reports)


def _devices(devices: tuple[BoundDevice, ...], reports: Reports) -> str:
    """Such as `0:3g.20gb/1,1`: the GPU's index, and of a MIG device its profile and GPU instance."""
    shown = [_device(each, reports) for each in devices]
    more = f",+{len(shown) - _MOST_SHOWN}" if len(shown) > _MOST_SHOWN else ""
    return ",".join(shown[:_MOST_SHOWN]) + more


def _device(device: BoundDevice, reports: Reports) -> str:
    number = reports.index(device.node, device.gpu)
    if number is None:
        return device.id or device.gpu
    index = str(number)
    if device.gpu_instance >= 0:
        index = f"{index}:{device.profile}/{device.gpu_instance}"
    replica = device.id.partition("::")[2]
    return f"{index}::{replica}" if replica else index
