"""What the webhook may change of a workload: when it was asked to try again, and nothing else.

The right to patch cannot be cut to one annotation; a policy can.
"""

from typing import Final

from labquota.policies.identities import NAMESPACE
from labquota.policies.stamping import Manifest, bound
from labquota.quota.stamping import NUDGED_ANNOTATION
from labquota.quota.trust import BUILT_IN_KINDS, Trust

_WEBHOOK: Final = f"system:serviceaccount:{NAMESPACE}:labquota-webhook"
_KEPT: Final = ("metadata.labels", "metadata.finalizers", "metadata.ownerReferences", "spec")


def groups(trust: Trust) -> dict[str, list[str]]:
    """The resources of what may make pods, by API group."""
    found: dict[str, list[str]] = {}
    for kind in (*BUILT_IN_KINDS, *trust.kinds):
        resource, _, group = kind.partition(".")
        if kind != "pods":
            found.setdefault(group, []).append(resource)
    return {group: sorted(resources) for group, resources in sorted(found.items())}


def rules(trust: Trust) -> list[Manifest]:
    """The rules of a ClusterRole."""
    return [
        {"apiGroups": [group], "resources": resources, "verbs": ["patch"]}
        for group, resources in groups(trust).items()
    ]


def policy(trust: Trust) -> list[Manifest]:
    """The ValidatingAdmissionPolicy with its binding."""
    before = "oldObject.metadata.?annotations.orValue({})"
    now = "object.metadata.?annotations.orValue({})"
    only = f"key == '{NUDGED_ANNOTATION}'"
    same = [f"{_optional('object', path)} == {_optional('oldObject', path)}" for path in _KEPT]
    same += [
        f"{now}.all(key, {only} || (key in {before} && {before}[key] == {now}[key]))",
        f"{before}.all(key, {only} || key in {now})",
    ]
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [group], "apiVersions": ["*"], "resources": resources, "operations": ["UPDATE"]}
                for group, resources in groups(trust).items()
            ]
        },
        "matchConditions": [
            {"name": "by-the-webhook", "expression": f"request.userInfo.username == '{_WEBHOOK}'"}
        ],
        "validations": [
            {
                "expression": " &&\n".join(same),
                "reason": "Forbidden",
                "message": f"labquota's webhook changes annotation {NUDGED_ANNOTATION} alone",
            }
        ],
    }
    return bound("ValidatingAdmissionPolicy", "nudge-guard", spec, {"validationActions": ["Deny"]})


def _optional(root: str, path: str) -> str:
    first, *rest = path.split(".")
    return ".?".join([f"{root}.?{first}", *rest]) + ".orValue(null)"
