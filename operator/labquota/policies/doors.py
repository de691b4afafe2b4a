"""Ways around a stamp, closed inside the API server: references, revisions, bindings, mirror pods, endings."""

import json
from typing import Final

from labquota.policies import identities, injecting, refusing
from labquota.policies.identities import NO_CARRIER, read, variable
from labquota.policies.refusing import only, unless
from labquota.policies.stamping import Manifest, rule
from labquota.quota.trust import Trust

BINDINGS: Final = only("CREATE", [rule("", "pods/binding", "bindings")])
"""Their annotations are merged into the pod."""

_MIRROR: Final = "kubernetes.io/config.mirror"
_ENDED: Final = "['Succeeded', 'Failed']"
_COLLECTOR: Final = "system:serviceaccount:kube-system:generic-garbage-collector"
"""Takes references out of what is orphaned; it makes nothing for anybody."""
_NO_COLLECTOR: Final = {
    "name": "not-by-the-garbage-collector",
    "expression": f"request.userInfo.username != '{_COLLECTOR}'",
}


def policies(trust: Trust) -> list[Manifest]:
    """The ValidatingAdmissionPolicies with their bindings."""
    return [
        *_made(trust),
        *_references(trust),
        *_revisions(trust),
        *_mirrors(),
        *_endings(),
        *injecting.policies(),
    ]


def _made(trust: Trust) -> list[Manifest]:
    """A controller reference says whose an object without a stamp is, so nobody else writes one where nobody stamps."""
    made = "object.metadata.?ownerReferences.orValue([]).exists(each, each.?controller.orValue(false))"
    return refusing.policy(
        "owner-guard-made",
        only("CREATE", [*refusing.built_in(), *refusing.of(_custom(trust))]),
        [
            unless(
                f"variables.forOthers || {_stamped(trust, 'object')}",
                "'OWNER_FORGED: nobody has stamped this, and its controller reference could lead to anybody'",
            )
        ],
        conditions=[
            {"name": "with-a-controller-reference", "expression": made},
            {"name": "not-copied-from-a-template", "expression": NO_CARRIER},
            {"name": "not-by-an-identity-source", "expression": f"!({identities.is_source(trust)})"},
        ],
        variables=identities.requester(trust),
    )


def _references(trust: Trust) -> list[Manifest]:
    """Nor does anybody else change one afterwards: to another's workload, or to what cannot be read."""
    return refusing.policy(
        "owner-guard-references",
        only(
            "UPDATE",
            [
                *refusing.built_in(),
                *refusing.built_in(without=("pods",), part="status"),
                *refusing.of(_custom(trust)),
            ],
        ),
        [
            unless(
                "variables.forOthers || variables.maker == variables.first",
                "'OWNER_FORGED: without a stamp its controller reference says whose it is and stays'",
            )
        ],
        conditions=[
            {"name": "without-a-stamp", "expression": f"!({_stamped(trust, 'oldObject')})"},
            {"name": "not-by-its-controller", "expression": NO_CARRIER},
            {"name": "not-by-an-identity-source", "expression": f"!({identities.is_source(trust)})"},
            _NO_COLLECTOR,
        ],
        variables=[
            *identities.requester(trust),
            variable("maker", _maker("object")),
            variable("first", _maker("oldObject")),
        ],
    )


def _revisions(trust: Trust) -> list[Manifest]:
    """A revision decides what a StatefulSet or DaemonSet makes, so only controllers write any."""
    return refusing.policy(
        "owner-guard-revisions",
        [rule("apps", "controllerrevisions")],
        [
            unless(
                "variables.forOthers",
                "'OWNER_FORGED: revisions are written by controllers alone; change the workload itself'",
            )
        ],
        conditions=[{"name": "not-by-its-controller", "expression": NO_CARRIER}, _NO_COLLECTOR],
        variables=identities.requester(trust),
    )


def _mirrors() -> list[Manifest]:
    """Static pods are never refused: only a node may say that a pod is one."""
    mark = read("object.metadata", _MIRROR)
    before = f"(oldObject == null ? '' : {read('oldObject.metadata', _MIRROR)})"
    return refusing.policy(
        "owner-guard-mirrors",
        [rule("", "pods", "pods/status", "pods/ephemeralcontainers"), *BINDINGS],
        [unless(f"{mark} == {before}", f"'OWNER_FORGED: annotation {_MIRROR} is for nodes alone'")],
        conditions=[
            {"name": "not-by-a-node", "expression": "!request.userInfo.username.startsWith('system:node:')"}
        ],
    )


def _endings() -> list[Manifest]:
    """A pod that has ended is charged to nobody, so it does not come back."""
    phase = "status.?phase.orValue('')"
    return refusing.policy(
        "owner-guard-endings",
        only("UPDATE", [rule("", "pods/status")]),
        [
            unless(
                f"!(oldObject.?{phase} in {_ENDED}) || object.?{phase} in {_ENDED}",
                "'a pod that has ended stays so: its budget is free already'",
            )
        ],
    )


def _custom(trust: Trust) -> list[str]:
    """The custom resources whose references are followed: those that are stamped, and those that never are."""
    return sorted({*trust.kinds, *trust.steps})


def _stamped(trust: Trust, manifest: str) -> str:
    """CEL: whether an object has a stamp that counts, so that nobody looks at its references."""
    stamp = f"{read(f'{manifest}.metadata')} != ''"
    if not trust.steps:
        return stamp
    kind = "request.resource.resource + '.' + request.resource.group"
    return f"{stamp} && !({kind} in {json.dumps(sorted(trust.steps))})"


def _maker(manifest: str) -> str:
    """CEL: the controller reference, as a list of no or one text."""
    return (
        f"{manifest}.metadata.?ownerReferences.orValue([])\n"
        ".filter(each, each.?controller.orValue(false))\n"
        ".map(each, each.apiVersion + ' ' + each.kind + ' ' + each.name + ' ' + each.uid)"
    )
