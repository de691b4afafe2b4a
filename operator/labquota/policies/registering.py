"""The mutating webhook's registration: for what policies leave open, or for everything where there are none.

Fail open: what is not stamped is asked about again when its pods come, and pinned by the operator.
"""

from typing import Any, Final

from labquota.policies import identities, stamping
from labquota.policies.identities import IS_CARRIER, NO_CARRIER, read
from labquota.policies.stamping import Manifest, custom, rule
from labquota.quota.trust import Trust

EXEMPT: Final = ("kube-system", "labquota-system")
"""Namespaces that are never asked about, so that the cluster and labquota itself can always start."""

_NAME: Final = "labquota-owners"


def beside_policies(trust: Trust) -> list[Manifest]:
    """Asked where a policy cannot tell: for service accounts, and for pods whose makers were never stamped."""
    stamp = read("object.metadata")
    conditions = [
        {
            "name": "made-by-itself-or-a-pod",
            "expression": f"request.kind.kind == 'Pod' || {NO_CARRIER}",
        },
        {
            "name": "whose-it-is-is-open",
            "expression": (
                f"({stamp} == '' && !(request.kind.kind in ['Namespace', 'ServiceAccount'])) ||\n"
                f"({stamp}.startsWith('serviceaccount:') &&\n"
                " request.userInfo.username.startsWith('system:serviceaccount:') &&\n"
                f" {NO_CARRIER})"
            ),
        },
    ]
    return [_registration(trust, ("CREATE",), conditions)]


def instead_of_policies(trust: Trust) -> list[Manifest]:
    """Asked for everything that may need a stamp, by whoever it is made; stamped pods of controllers are not."""
    conditions = [
        {
            "name": "not-handed-on-by-a-controller",
            "expression": f"!({IS_CARRIER}) ||\n(request.kind.kind == 'Pod' && {read('object.metadata')} == '')",
        },
        {
            "name": "not-stamped-as-it-should-be",
            "expression": (
                "request.operation == 'CREATE'\n"
                "? request.userInfo.username.startsWith('system:') || request.kind.kind != 'Pod' ||\n"
                f"  {read('object.metadata')} != 'user:' + request.userInfo.username\n"
                f": !({stamping.unchanged()})"
            ),
        },
    ]
    return [_registration(trust, ("CREATE", "UPDATE"), conditions)]


def _registration(trust: Trust, operations: tuple[str, ...], conditions: list[dict[str, str]]) -> Manifest:
    rules = [
        rule("", "pods", "replicationcontrollers", "serviceaccounts", "namespaces"),
        rule("apps", "daemonsets", "deployments", "replicasets", "statefulsets"),
        rule("batch", "cronjobs", "jobs"),
        *custom(trust),
    ]
    selector: dict[str, Any] = {
        "matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": list(EXEMPT)}
        ]
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": _NAME},
        "webhooks": [
            {
                "name": "owners.labquota.dev",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "matchPolicy": "Equivalent",
                "reinvocationPolicy": "Never",
                "timeoutSeconds": 5,
                "clientConfig": {
                    "service": {
                        "namespace": identities.NAMESPACE,
                        "name": "labquota-webhook",
                        "path": "/stamp",
                        "port": 443,
                    }
                },
                "rules": [{**each, "operations": list(operations)} for each in rules],
                "namespaceSelector": selector,
                "matchConditions": conditions,
            }
        ],
    }
