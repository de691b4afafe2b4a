"""The shapes of labquota's own resources, each written once.

Promise: plain data, and nothing that decides. A kind is a `msgspec.Struct`; the CustomResourceDefinitions
under `crds/` are generated from it (`python -m labquota.api.generate`), so that what the code reads and what
the API server accepts cannot drift apart.
"""

from labquota.api.gpuallocation import (
    AllocationDevice,
    AllocationPod,
    BoundDevice,
    GPUAllocation,
    GPUAllocationSpec,
    GPUAllocationStatus,
    GPUAllocationSummary,
)
from labquota.api.gpunode import (
    GPU,
    DeviceHolder,
    DeviceProcess,
    GPUNode,
    GPUNodeStatus,
    GPUNodeSummary,
    MigDevice,
    NodeResource,
)
from labquota.api.meta import (
    API_VERSION,
    GROUP,
    VERSION,
    Amounts,
    Condition,
    LabelSelector,
    LabelSelectorRequirement,
    ObjectMeta,
)
from labquota.api.ownerledger import OwnerLedger
from labquota.api.ownerusage import (
    OwnerUsage,
    OwnerUsageSpec,
    OwnerUsageStatus,
    UsageLimit,
    UsagePod,
    UsagePoints,
    UsageSummary,
)
from labquota.api.resourcelimitgroup import (
    ResourceLimitGroup,
    ResourceLimitGroupSpec,
    ResourceLimitGroupStatus,
    Subject,
)
from labquota.api.resourcelimitoverride import (
    ResourceLimitOverride,
    ResourceLimitOverrideSpec,
    ResourceLimitOverrideStatus,
)
from labquota.api.words import (
    AllocationPhase,
    AllocationSource,
    Enforcement,
    GPUHealth,
    MigMode,
    OnError,
    OwnerKind,
    Phase,
    SubjectKind,
    WhenUnset,
)

__all__ = [
    "API_VERSION",
    "GPU",
    "GROUP",
    "VERSION",
    "AllocationDevice",
    "AllocationPhase",
    "AllocationPod",
    "AllocationSource",
    "Amounts",
    "BoundDevice",
    "Condition",
    "DeviceHolder",
    "DeviceProcess",
    "Enforcement",
    "GPUAllocation",
    "GPUAllocationSpec",
    "GPUAllocationStatus",
    "GPUAllocationSummary",
    "GPUHealth",
    "GPUNode",
    "GPUNodeStatus",
    "GPUNodeSummary",
    "LabelSelector",
    "LabelSelectorRequirement",
    "MigDevice",
    "MigMode",
    "NodeResource",
    "ObjectMeta",
    "OnError",
    "OwnerKind",
    "OwnerLedger",
    "OwnerUsage",
    "OwnerUsageSpec",
    "OwnerUsageStatus",
    "Phase",
    "ResourceLimitGroup",
    "ResourceLimitGroupSpec",
    "ResourceLimitGroupStatus",
    "ResourceLimitOverride",
    "ResourceLimitOverrideSpec",
    "ResourceLimitOverrideStatus",
    "Subject",
    "SubjectKind",
    "UsageLimit",
    "UsagePod",
    "UsagePoints",
    "UsageSummary",
    "WhenUnset",
]
