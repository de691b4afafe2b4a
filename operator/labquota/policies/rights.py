"""What webhook and operator may read to find an owner: the kinds that lead to people, and service accounts.

And what they may write on what they find there: the owner of a pod, and when its maker was asked to try again.
"""

from typing import Final

from labquota.policies import nudging
from labquota.policies.identities import NAMESPACE
from labquota.policies.stamping import Manifest
from labquota.quota.trust import BUILT_IN_KINDS, Trust

_RBAC: Final = "rbac.authorization.k8s.io"
_NAME: Final = "labquota-owners"


def manifests(trust: Trust) -> list[Manifest]:
    """One ClusterRole for both, the operator's right to pin an owner on a pod, and the webhook's to nudge its maker."""
    groups: dict[str, list[str]] = {"": ["namespaces", "serviceaccounts"]}
    for kind in (*BUILT_IN_KINDS, *trust.kinds, *trust.steps):
        resource, _, group = kind.partition(".")
        groups.setdefault(group, []).append(resource)
    rules = [{"apiGroups": [group], "resources": sorted(found)} for group, found in sorted(groups.items())]
    merged = [{**each, "verbs": ["get"]} for each in rules]
    pin = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch"]}
    return [
        _role(_NAME, merged),
        _binding(_NAME, ("labquota-webhook", "labquota-operator")),
        _role(f"{_NAME}-pin", [pin]),
        _binding(f"{_NAME}-pin", ("labquota-operator",)),
        _role(f"{_NAME}-nudge", nudging.rules(trust)),
        _binding(f"{_NAME}-nudge", ("labquota-webhook",)),
        *nudging.policy(trust),
    ]


def _role(name: str, rules: list[Manifest]) -> Manifest:
    return {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}


def _binding(name: str, accounts: tuple[str, ...]) -> Manifest:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
        "subjects": [
            {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE} for account in accounts
        ],
    }
