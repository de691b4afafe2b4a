"""How kubectl knows labquota's resources: names, short names, categories and the columns of `kubectl get`."""

from typing import Any, Final

import msgspec

from labquota.api import schema
from labquota.api.gpuallocation import GPUAllocation
from labquota.api.gpunode import GPUNode
from labquota.api.meta import GROUP, VERSION
from labquota.api.ownerledger import OwnerLedger
from labquota.api.ownerusage import OwnerUsage
from labquota.api.resourcelimitgroup import ResourceLimitGroup
from labquota.api.resourcelimitoverride import ResourceLimitOverride


class Column(msgspec.Struct, frozen=True):
    """One column of `kubectl get`: its head, a JSON path, and string, integer or date; `wide`: with -o wide only."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def manifest(self) -> dict[str, Any]:
        """As the CustomResourceDefinition has it."""
        written = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return {**written, "priority": 1} if self.wide else written


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One CustomResourceDefinition, less what its Struct says."""

    shape: type[msgspec.Struct]
    short: str
    columns: tuple[Column, ...]
    categories: tuple[str, ...] = ("labquota",)
    has_status: bool = True
    namespaced: bool = False

    @property
    def kind(self) -> str:
        """The kind: the Struct's name."""
        return self.shape.__name__

    @property
    def plural(self) -> str:
        """The resource's name in addresses and roles."""
        return self.kind.lower() + "s"

    def manifest(self) -> dict[str, Any]:
        """Build the CustomResourceDefinition as `kubectl apply` takes it."""
        names: dict[str, Any] = {
            "kind": self.kind,
            "listKind": f"{self.kind}List",
            "plural": self.plural,
            "singular": self.kind.lower(),
            "shortNames": [self.short],
        }
        version: dict[str, Any] = {
            "name": VERSION,
            "served": True,
            "storage": True,
            "additionalPrinterColumns": [column.manifest() for column in self.columns],
            "schema": {"openAPIV3Schema": schema.of(self.shape)},
        }
        if self.categories:
            names["categories"] = list(self.categories)
        if self.has_status:
            version["subresources"] = {"status": {}}
        scope = "Namespaced" if self.namespaced else "Cluster"
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{self.plural}.{GROUP}"},
            "spec": {"group": GROUP, "names": names, "scope": scope, "versions": [version]},
        }


_AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")

DEFINITIONS: Final = (
    Definition(
        shape=ResourceLimitGroup,
        short="rlg",
        columns=(
            Column("Default for", ".spec.defaultFor"),
            Column("Priority", ".spec.priority", "integer"),
            Column("GPU", ".spec.aggregate.gpu"),
            Column("CPU", ".spec.aggregate['requests\\.cpu','cpu']"),
            Column("Memory", ".spec.aggregate['requests\\.memory','memory']"),
            Column("Pods", ".spec.aggregate.pods"),
            Column("Enforcement", ".spec.enforcement"),
            Column("Owners", ".status.owners", "integer"),
            Column("Over limit", ".status.overLimit", "integer"),
            Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            _AGE,
        ),
    ),
    Definition(
        shape=ResourceLimitOverride,
        short="rlo",
        columns=(
            Column("Owner", ".spec.owner"),
            Column("Phase", ".status.phase"),
            Column("Not before", ".spec.notBefore"),
            Column("Expires", ".spec.expiresAt"),
            Column("Approved by", ".spec.approvedBy"),
            _AGE,
        ),
    ),
    Definition(
        shape=OwnerUsage,
        short="ou",
        columns=(
            Column("Owner", ".spec.owner"),
            Column("Group", ".status.group"),
            Column("GPU", ".status.summary.gpu"),
            Column("Equivalents", ".status.summary.equivalents"),
            Column("GPU memory", ".status.summary.gpuMemory", wide=True),
            Column("CPU", ".status.summary.cpu"),
            Column("Memory", ".status.summary.memory"),
            Column("Pods", ".status.summary.pods"),
            Column("Over", ".status.summary.over"),
            _AGE,
        ),
    ),
    Definition(
        shape=OwnerLedger,
        short="ol",
        columns=(Column("Owner", ".owner"), _AGE),
        categories=(),  # internal: it should not come up when an admin asks for labquota's resources
        has_status=False,
    ),
    Definition(
        shape=GPUNode,
        short="gpun",
        columns=(
            Column("GPUs", ".status.summary.models"),
            Column("Devices", ".status.summary.devices"),
            Column("Held", ".status.summary.held"),
            Column("Problems", ".status.summary.problems"),
            Column("Driver", ".status.driverVersion", wide=True),
            Column("NVML", ".status.nvmlVersion", wide=True),
            Column("Available", '.status.conditions[?(@.type=="NVMLAvailable")].status'),
            Column("Stale", '.status.conditions[?(@.type=="Stale")].status', wide=True),
            Column("Last scan", ".status.lastScanTime", "date"),
            _AGE,
        ),
    ),
    Definition(
        shape=GPUAllocation,
        short="gpua",
        columns=(
            Column("Owner", ".spec.owner"),
            Column("Pod", ".spec.pod.name"),
            Column("Phase", ".status.phase"),
            Column("Node", ".status.summary.node"),
            Column("Devices", ".status.summary.devices"),
            Column("Equivalents", ".status.summary.equivalents"),
            Column("Problems", ".status.summary.problems"),
            Column("Source", ".status.source", wide=True),
            Column("Expires", ".spec.expiresAt", wide=True),
            Column("Reason", ".spec.reason", wide=True),
            _AGE,
        ),
        namespaced=True,
    ),
)
"""All of labquota's kinds; the files under `crds/` hold these and nothing else."""
