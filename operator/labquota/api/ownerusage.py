"""OwnerUsage: what a person reads about their budget; written by the operator only."""

import msgspec

from labquota.api.meta import API_VERSION, Condition, ObjectMeta, Report, Shape, constant
from labquota.api.words import Enforcement


class OwnerUsageSpec(Shape, frozen=True, kw_only=True):
    """Whose budget this is."""

    owner: str


class UsageLimit(Report, frozen=True, kw_only=True):
    """The most the owner may hold of one resource, and which object says so."""

    limit: str
    source: str


class UsageSummary(Report, frozen=True, kw_only=True):
    """Used of limit, as the columns of `kubectl get ownerusage` show it."""

    gpu: str = ""
    cpu: str = ""
    memory: str = ""
    pods: str = ""


class UsagePod(Report, frozen=True, kw_only=True):
    """One pod and what it holds."""

    namespace: str
    name: str
    uses: dict[str, str] = msgspec.field(default_factory=dict)


class OwnerUsageStatus(Report, frozen=True, kw_only=True):
    """The owner's limits and what they hold, as of the operator's latest look."""

    group: str = ""
    enforcement: Enforcement = "Enforce"
    limits: dict[str, UsageLimit] = msgspec.field(default_factory=dict)
    used: dict[str, str] = msgspec.field(default_factory=dict)
    reserved: dict[str, str] = msgspec.field(default_factory=dict)
    summary: UsageSummary = UsageSummary()
    over_limit: tuple[str, ...] = ()
    pods: tuple[UsagePod, ...] = ()
    conditions: tuple[Condition, ...] = ()
    observed_generation: int = 0


class OwnerUsage(Shape, frozen=True, kw_only=True):
    """One owner's budget: what they may hold, what they hold, and which pods hold it."""

    api_version: str = constant(API_VERSION)
    kind: str = constant("OwnerUsage")
    metadata: ObjectMeta
    spec: OwnerUsageSpec
    status: OwnerUsageStatus = OwnerUsageStatus()
