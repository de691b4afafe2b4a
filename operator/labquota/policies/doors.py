"""Ways around a stamp, closed inside the API server: references, revisions, and what other webhooks inject."""

from typing import Final

from labquota.policies import creating, identities, injecting, refusing
from labquota.policies.identities import NO_CARRIER, variable
from labquota.policies.refusing import only, unless
from labquota.policies.stamping import Manifest, rule
from labquota.quota.trust import Trust

_COLLECTOR: Final = "system:serviceaccount:kube-system:generic-garbage-collector"
"""Takes references out of what is orphaned; it makes nothing for anybody."""
_NO_COLLECTOR: Final = {
    "name": "not-by-the-garbage-collector",
    "expression": f"request.userInfo.username != '{_COLLECTOR}'",
}


def policies(trust: Trust) -> list[Manifest]:
    """The ValidatingAdmissionPolicies with their bindings."""
    return [
        *_references(trust),
        *_revisions(trust),
        *injecting.policies(),
    ]


def _references(trust: Trust) -> list[Manifest]:
    """Nobody else changes a controller reference that counts: to another's workload, or to what cannot be read."""
    return refusing.policy(
        "owner-guard-references",
        only(
            "UPDATE",
            [
                *refusing.built_in(),
                *refusing.built_in(without=("pods",), part="status"),
                *refusing.of(creating.custom_kinds(trust)),
            ],
        ),
        [
            unless(
                "variables.forOthers || variables.maker == variables.first",
                "'OWNER_FORGED: without a stamp its controller reference says whose it is and stays'",
            )
        ],
        conditions=[
            {"name": "without-a-stamp", "expression": f"!({creating.stamped(trust, 'oldObject')})"},
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


def _maker(manifest: str) -> str:
    """CEL: the controller reference, as a list of no or one text."""
    return (
        f"{manifest}.metadata.?ownerReferences.orValue([])\n"
        ".filter(each, each.?controller.orValue(false))\n"
        ".map(each, each.apiVersion + ' ' + each.kind + ' ' + each.name + ' ' + each.uid)"
    )
