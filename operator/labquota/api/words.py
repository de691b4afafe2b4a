"""The fixed words that an admin may write in labquota's resources; the API server refuses any other."""

from typing import Literal, TypeAlias

OwnerKind: TypeAlias = Literal["User", "ServiceAccount", "Namespace"]
"""Who can pay for a pod."""

SubjectKind: TypeAlias = Literal["User", "Group", "ServiceAccount"]
"""Whom a group of limits can name; RBAC's words."""

WhenUnset: TypeAlias = Literal["Refuse", "Ignore"]
"""What happens to a container that leaves a limited cpu or memory key unset."""

Enforcement: TypeAlias = Literal["Enforce", "Warn", "Off"]
"""Refuse what is over the limit, allow it with a warning, or do not judge at all."""

OnError: TypeAlias = Literal["Allow", "Deny"]
"""What labquota answers while it cannot decide."""

Phase: TypeAlias = Literal["Pending", "Active", "Expired"]
"""Where an override stands between its notBefore and its expiresAt."""

ConditionStatus: TypeAlias = Literal["True", "False", "Unknown"]
"""Kubernetes' three answers of a condition."""

SelectorOperator: TypeAlias = Literal["In", "NotIn", "Exists", "DoesNotExist"]
"""Kubernetes' operators of a label selector."""

MigMode: TypeAlias = Literal["Enabled", "Disabled", "Unsupported"]
"""Whether a GPU is cut into MIG devices; Unsupported where it never can be."""

GPUHealth: TypeAlias = Literal["Healthy", "Unhealthy", "Lost", "Unreadable"]
"""What NVML says of a GPU."""

AllocationPhase: TypeAlias = Literal["Pending", "Bound", "Released", "Expired"]
"""Where an allocation stands."""

AllocationSource: TypeAlias = Literal["", "PodStatus", "Agent", "Hold"]
"""Who said which devices a pod has; empty while nobody has."""
