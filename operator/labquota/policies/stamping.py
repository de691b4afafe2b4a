"""The stamp on what is created, over whatever its author wrote, and put back where an update leaves it out.

A JSON patch each, at every place where annotations are kept. What needs a look at other objects (whose is this service
account, where does this controller reference lead) is left to the mutating webhook, which a policy cannot replace:
a service account's own name is the stamp until then, and what a controller makes for others has none.
"""

from collections.abc import Iterable
from typing import Any, Final

from labquota.policies import identities
from labquota.policies.identities import NO_CARRIER, label_of, variable
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.stamping import USER_LABEL
from labquota.quota.trust import Trust

Manifest = dict[str, Any]

TEMPLATES: Final = ("object.spec.template",)
CRON_TEMPLATES: Final = ("object.spec.jobTemplate", "object.spec.jobTemplate.spec.template")

_GROUP: Final = "admissionregistration.k8s.io"
_PERSON: Final = "variables.isSource ? variables.named : (variables.forOthers ? '' : variables.own)"
_PLACE: Final = (
    "variables.system || variables.forOthers ? ''\n"
    ": (variables.administers || variables.isSource ? variables.named : variables.own)"
)
_FIELDS: Final = {OWNER_ANNOTATION: "annotations", USER_LABEL: "labels"}


def policies(trust: Trust) -> list[Manifest]:
    """The MutatingAdmissionPolicies with their bindings."""
    apps = [rule("apps", "daemonsets", "deployments", "replicasets", "statefulsets")]
    workloads = [*apps, rule("batch", "jobs"), rule("", "replicationcontrollers")]
    places = [rule("", "namespaces", "serviceaccounts")]
    return [
        *_policy("owner-stamp", trust, [rule("", "pods")], _PERSON, labelled=True),
        *_policy("owner-stamp-workloads", trust, workloads, _PERSON, TEMPLATES),
        *_policy("owner-stamp-cronjobs", trust, [rule("batch", "cronjobs")], _PERSON, CRON_TEMPLATES),
        *_policy("owner-stamp-places", trust, places, _PLACE, may_drop=identities.MAY_RENAME),
        *_policy("owner-stamp-custom", trust, custom(trust), _PERSON),
    ]


def rule(group: str, *resources: str, operations: tuple[str, ...] = ("CREATE", "UPDATE")) -> Manifest:
    """One rule of what a policy looks at, in all versions of its group."""
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "resources": list(resources),
        "operations": list(operations),
    }


def custom(trust: Trust) -> list[Manifest]:
    """Rules for the custom resources that are stamped; one that is not installed is never looked for."""
    groups: dict[str, list[str]] = {}
    for kind in trust.kinds:
        resource, _, group = kind.partition(".")
        groups.setdefault(group, []).append(resource)
    return [rule(group, *sorted(resources)) for group, resources in sorted(groups.items())]


def bound(kind: str, name: str, spec: Manifest, binding: Manifest) -> list[Manifest]:
    """A policy and its binding."""
    meta = {"name": f"{name}.labquota.dev"}
    version = f"{_GROUP}/v1"
    return [
        {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec},
        {
            "apiVersion": version,
            "kind": f"{kind}Binding",
            "metadata": meta,
            "spec": {"policyName": meta["name"], **binding},
        },
    ]


def _policy(
    name: str,
    trust: Trust,
    rules: list[Manifest],
    owner: str,
    templates: tuple[str, ...] = (),
    *,
    may_drop: str = "",
    labelled: bool = False,
) -> list[Manifest]:
    if not rules:
        return []
    places = [("object", OWNER_ANNOTATION), *((each, OWNER_ANNOTATION) for each in templates)]
    places += [(each, USER_LABEL) for each in (*(["object"] if labelled else []), *templates)]
    spec = {
        "failurePolicy": "Fail",
        # a webhook that comes after may know better whose it is: never again over its answer
        "reinvocationPolicy": "Never",
        "matchConstraints": {"resourceRules": rules},
        "matchConditions": [
            # they hand on what they copy, hundreds of times a minute
            {"name": "not-copied-from-a-template", "expression": NO_CARRIER},
            {"name": "not-stamped-as-it-should-be", "expression": _unsettled(places)},
        ],
        "variables": [
            *identities.requester(trust),
            *identities.named(trust),
            variable("wanted", f"request.operation == 'CREATE' ? ({owner}) : ''"),
            variable("label", label_of("variables.wanted")),
        ],
        "mutations": [
            {
                "patchType": "JSONPatch",
                "jsonPatch": {"expression": " +\n".join(_put(*each, may_drop) for each in places)},
            }
        ],
    }
    return bound("MutatingAdmissionPolicy", name, spec, {})


def unchanged() -> str:
    """CEL: whether an update leaves every stamp and label as it was, wherever an object of any kind may have one."""
    places = [(each, key) for each in ("object", *TEMPLATES, *CRON_TEMPLATES) for key in _FIELDS]
    return _all(f"{_now(*each)} == {_before(*each)}" for each in places)


def _unsettled(places: list[tuple[str, str]]) -> str:
    """CEL: whether anything may be missing. To find out here costs a third of a mutation that changes nothing."""
    own = "('user:' + request.userInfo.username)"
    wanted = {OWNER_ANNOTATION: own, USER_LABEL: label_of(own)}
    settled = _all(f"{_now(*each)} == {wanted[each[1]]}" for each in places)
    return (
        "request.operation == 'CREATE'\n"
        f"? request.userInfo.username.startsWith('system:') || !({settled})\n"
        f": !({_all(f'{_now(*each)} == {_before(*each)}' for each in places)})"
    )


def _put(place: str, key: str, may_drop: str) -> str:
    """CEL: the patch that brings a stamp or a label to what is wanted, or back where an update leaves it out.

    What an update writes over a stamp is for the guard to refuse; a label is anybody's to change. A controller that
    hands down what it finds on a resource is not refused, or it would never get on: it changes nothing.
    """
    now, pointer = _now(place, key), f"{_path(place)}/{_FIELDS[key]}/{key.replace('/', '~1')}"
    wanted = "variables.wanted" if key == OWNER_ANNOTATION else "variables.label"
    remove = f"[JSONPatch{{op: 'remove', path: '{pointer}'}}]"
    before = _before(place, key)
    kept = f"{now} == {before} || ({now} != '' && !variables.forOthers)"
    if may_drop:
        kept = f"{may_drop} || {kept}"
    return (
        "(request.operation == 'UPDATE'\n"
        f"? ({kept} ? []\n"
        f": ({before} == '' ? {remove} : {_add(place, key, before)}))\n"
        f": ({now} == {wanted} ? []\n"
        f": ({wanted} == '' ? {remove} : {_add(place, key, wanted)})))"
    )


def _now(place: str, key: str) -> str:
    path = place.replace("object", "", 1).replace(".", ".?")
    return f"object{path}.?metadata.?{_FIELDS[key]}[?'{key}'].orValue('')"


def _before(place: str, key: str) -> str:
    return _now(place, key).replace("object", "oldObject", 1)


def _all(conditions: Iterable[str]) -> str:
    return " &&\n".join(conditions)


def _add(place: str, key: str, value: str) -> str:
    """CEL: a patch that sets an entry, with the map around it and the metadata around that where they are missing."""
    field, path = _FIELDS[key], _path(place)
    return (
        f"(has({place}.metadata.{field})\n"
        f"? [JSONPatch{{op: 'add', path: '{path}/{field}/{key.replace('/', '~1')}', value: {value}}}]\n"
        f": [JSONPatch{{op: 'add', path: '{path}/{field}', value: {{'{key}': {value}}}}}])"
    )


def _path(place: str) -> str:
    return "/" + "/".join([*place.split(".")[1:], "metadata"])
