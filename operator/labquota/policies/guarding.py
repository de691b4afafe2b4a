"""What nobody may do to a stamp once it is there, or to get around one: refused inside the API server.

Fail closed, so every expression is total: one that errs would refuse the request of somebody who did nothing wrong.
"""

from typing import Any, Final

from labquota.policies import identities
from labquota.policies.identities import MAY_RENAME, NO_CARRIER, OPERATOR, read, variable
from labquota.policies.stamping import CRON_TEMPLATES, TEMPLATES, Manifest, bound, custom, rule
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.trust import BUILT_IN_KINDS, Trust

_MIRROR: Final = "kubernetes.io/config.mirror"
_KEEPS: Final = f"annotation {OWNER_ANNOTATION} says who created it and stays"
_ACCOUNT: Final = "request.userInfo.username.startsWith('system:serviceaccount:')"
_ENDED: Final = "['Succeeded', 'Failed']"
_BINDINGS: Final = {**rule("", "pods/binding", "bindings"), "operations": ["CREATE"]}


def policies(trust: Trust) -> list[Manifest]:
    """The ValidatingAdmissionPolicies with their bindings."""
    return [
        *_pods(),
        *_created(trust),
        *_made(trust),
        *_kept("owner-guard-workloads", _workloads(), TEMPLATES),
        *_kept("owner-guard-cronjobs", [_updated("batch", "cronjobs")], CRON_TEMPLATES),
        *_kept("owner-guard-custom", [{**each, "operations": ["UPDATE"]} for each in custom(trust)]),
        *_kept(
            "owner-guard-places",
            [_updated("", "namespaces", "serviceaccounts")],
            variables=identities.requester(trust),
            unless=f"{MAY_RENAME} ||\n",
        ),
        *_revisions(trust),
        *_mirrors(),
        *_endings(),
    ]


def _pods() -> list[Manifest]:
    """A pod's stamp stays, whatever subresource is written, and a binding, which is merged into the pod, has none."""
    subresources = ("pods", "pods/status", "pods/resize", "pods/ephemeralcontainers")
    pinned = (
        f"(request.userInfo.username == '{OPERATOR}' &&\n"
        "(variables.first == '' || variables.first.startsWith('serviceaccount:')))"
    )
    return _policy(
        "owner-guard",
        [_updated("", *subresources), _BINDINGS],
        [
            _rule(
                f"variables.stamp == variables.first ||\n{pinned}",
                f"""'OWNER_FORGED: {_KEEPS} "' + variables.first + '"'""",
            )
        ],
        variables=[
            variable("stamp", read("object.metadata")),
            variable("first", f"oldObject == null ? '' : {read('oldObject.metadata')}"),
        ],
    )


def _created(trust: Trust) -> list[Manifest]:
    """What a person creates carries their own name or none, even where the stamping is not in place."""
    rules = [
        rule("", "pods", "replicationcontrollers"),
        rule("apps", *_of("apps")),
        rule("batch", *_of("batch")),
    ]
    places = ("", ".?spec.?template", ".?spec.?jobTemplate", ".?spec.?jobTemplate.?spec.?template")
    stamps = [f"object{each}.?metadata.?annotations[?'{OWNER_ANNOTATION}'].orValue('')" for each in places]
    return _policy(
        "owner-guard-created",
        [{**each, "operations": ["CREATE"]} for each in rules],
        [
            _rule(
                "variables.stamps.all(stamp, stamp in ['', variables.own])",
                f"""'OWNER_FORGED: leave annotation {OWNER_ANNOTATION} out; ' + variables.own + ' creates this'""",
            )
        ],
        conditions=[
            {
                "name": "made-by-a-person",
                "expression": f"!({_ACCOUNT})",
            },
            {"name": "not-copied-from-a-template", "expression": NO_CARRIER},
            {"name": "not-by-an-identity-source", "expression": f"!({identities.is_source(trust)})"},
        ],
        variables=[*identities.requester(trust), variable("stamps", f"[{', '.join(stamps)}]")],
    )


def _made(trust: Trust) -> list[Manifest]:
    """A controller reference says whose a pod without a stamp is, so nobody else writes one where nobody stamps."""
    made = "object.metadata.?ownerReferences.orValue([]).exists(each, each.?controller.orValue(false))"
    return _policy(
        "owner-guard-made",
        [{**rule("", "pods"), "operations": ["CREATE"]}],
        [
            _rule(
                f"variables.forOthers || {read('object.metadata')} != ''",
                "'OWNER_FORGED: nobody has stamped this pod, and its controller reference could lead to anybody'",
            )
        ],
        conditions=[
            {"name": "with-a-controller-reference", "expression": made},
            {"name": "not-copied-from-a-template", "expression": NO_CARRIER},
            {"name": "not-by-an-identity-source", "expression": f"!({identities.is_source(trust)})"},
        ],
        variables=identities.requester(trust),
    )


def _kept(
    name: str,
    rules: list[Manifest],
    templates: tuple[str, ...] = (),
    *,
    variables: list[identities.Variable] | None = None,
    unless: str = "",
) -> list[Manifest]:
    """The stamps of an object and of its templates stay as they were."""
    if not rules:
        return []
    places = ["object", *templates]
    same = " &&\n".join(f"{read(f'{each}.metadata')} == {read(f'{_old(each)}.metadata')}" for each in places)
    first = read("oldObject.metadata")
    return _policy(
        name,
        rules,
        [_rule(f"{unless}({same})", f"""'OWNER_FORGED: {_KEEPS} "' + {first} + '", in its template too'""")],
        variables=variables or [],
    )


def _revisions(trust: Trust) -> list[Manifest]:
    """A revision decides what a StatefulSet or DaemonSet makes, so only controllers write any."""
    return _policy(
        "owner-guard-revisions",
        [rule("apps", "controllerrevisions")],
        [
            _rule(
                "variables.forOthers",
                "'OWNER_FORGED: revisions are written by controllers alone; change the workload itself'",
            )
        ],
        conditions=[{"name": "not-by-its-controller", "expression": NO_CARRIER}],
        variables=identities.requester(trust),
    )


def _mirrors() -> list[Manifest]:
    """Static pods are never refused: only a node may say that a pod is one."""
    mark = read("object.metadata", _MIRROR)
    before = f"(oldObject == null ? '' : {read('oldObject.metadata', _MIRROR)})"
    return _policy(
        "owner-guard-mirrors",
        [
            rule("", "pods", "pods/status", "pods/ephemeralcontainers"),
            {**rule("", "pods/binding", "bindings"), "operations": ["CREATE"]},
        ],
        [_rule(f"{mark} == {before}", f"'OWNER_FORGED: annotation {_MIRROR} is for nodes alone'")],
        conditions=[
            {"name": "not-by-a-node", "expression": "!request.userInfo.username.startsWith('system:node:')"}
        ],
    )


def _endings() -> list[Manifest]:
    """A pod that has ended is charged to nobody, so it does not come back."""
    phase = "status.?phase.orValue('')"
    return _policy(
        "owner-guard-endings",
        [_updated("", "pods/status")],
        [
            _rule(
                f"!(oldObject.?{phase} in {_ENDED}) || object.?{phase} in {_ENDED}",
                "'a pod that has ended stays so: its budget is free already'",
            )
        ],
    )


def _workloads() -> list[Manifest]:
    apps = ("daemonsets", "deployments", "replicasets", "statefulsets")
    return [_updated("apps", *apps), _updated("batch", "jobs"), _updated("", "replicationcontrollers")]


def _of(group: str) -> list[str]:
    return [kind.partition(".")[0] for kind in BUILT_IN_KINDS if kind.partition(".")[2] == group]


def _updated(group: str, *resources: str) -> Manifest:
    return {**rule(group, *resources), "operations": ["UPDATE"]}


def _old(place: str) -> str:
    return place.replace("object", "oldObject", 1)


def _rule(expression: str, message: str) -> dict[str, Any]:
    return {"expression": expression, "reason": "Forbidden", "messageExpression": message}


def _policy(
    name: str,
    rules: list[Manifest],
    validations: list[dict[str, Any]],
    *,
    conditions: list[dict[str, str]] | None = None,
    variables: list[identities.Variable] | None = None,
) -> list[Manifest]:
    spec: Manifest = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}}
    if conditions:
        spec["matchConditions"] = conditions
    if variables:
        spec["variables"] = variables
    spec["validations"] = validations
    return bound("ValidatingAdmissionPolicy", name, spec, {"validationActions": ["Deny"]})
