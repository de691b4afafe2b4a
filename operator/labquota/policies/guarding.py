"""What nobody may do to a stamp once it is there: refused inside the API server."""

from typing import Final

from labquota.policies import creating, doors, identities, refusing
from labquota.policies.creating import BY_A_NODE, MIRROR, NOT_YOURS
from labquota.policies.identities import MAY_RENAME, NO_CARRIER, OPERATOR, read, variable
from labquota.policies.refusing import only, unless
from labquota.policies.stamping import CRON_TEMPLATES, TEMPLATES, Manifest, custom, rule
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.trust import Trust

_KEEPS: Final = f"annotation {OWNER_ANNOTATION} says who created it and stays"
_PHASE: Final = "status.?phase.orValue('')"
_ENDED: Final = "['Succeeded', 'Failed']"


def policies(trust: Trust) -> list[Manifest]:
    """The ValidatingAdmissionPolicies with their bindings, those of `doors` included."""
    requester = identities.requester(trust)
    places = [rule("", "namespaces", "namespaces/status", "namespaces/finalize", "serviceaccounts")]
    return [
        *_pods(),
        *creating.policies(trust),
        *_kept("owner-guard-workloads", refusing.built_in(without=("pods", "cronjobs.batch")), TEMPLATES),
        *_kept("owner-guard-cronjobs", [rule("batch", "cronjobs")], CRON_TEMPLATES),
        *_kept(
            "owner-guard-status", refusing.built_in(without=("pods",), part="status"), unless_carrier=True
        ),
        *_kept("owner-guard-custom", custom(trust)),
        *_kept("owner-guard-places", places, variables=requester, or_else=f"{MAY_RENAME} ||\n"),
        *doors.policies(trust),
    ]


def _pods() -> list[Manifest]:
    """A pod's stamp stays, whatever subresource is written; and a binding, which is merged into the pod, has none.

    Static pods are never refused, so only a node may say that a pod is one; what has ended is charged to nobody, so it
    does not come back. Nodes write a pod's status all day, and change none of this.
    """
    subresources = ("pods", "pods/status", "pods/resize", "pods/ephemeralcontainers")
    bindings = only("CREATE", [rule("", "pods/binding", "bindings")])
    stamp, first = read("object.metadata"), _before(read("oldObject.metadata"))
    mark, before = read("object.metadata", MIRROR), _before(read("oldObject.metadata", MIRROR))
    alive = f"!(object.?{_PHASE} in {_ENDED})"
    ended = f"(oldObject != null && oldObject.?{_PHASE} in {_ENDED})"
    pinned = (
        f"(request.userInfo.username == '{OPERATOR}' &&\n"
        "(variables.first == '' || variables.first.startsWith('serviceaccount:')))"
    )
    return refusing.policy(
        "owner-guard",
        [*only("UPDATE", [rule("", *subresources)]), *bindings],
        [
            unless(
                f"variables.stamp == variables.first ||\n{pinned}",
                f"""'OWNER_FORGED: {_KEEPS} "' + variables.first + '"'""",
            ),
            unless(f"{mark} == {before} || {BY_A_NODE}", NOT_YOURS),
            unless(
                f"request.subResource != 'status' || !({ended} && {alive})",
                "'a pod that has ended stays so: its budget is free already'",
            ),
        ],
        conditions=[
            {
                "name": "changes-what-stays",
                "expression": f"{stamp} != {first} || {mark} != {before} ||\n({ended} && {alive})",
            }
        ],
        variables=[variable("stamp", stamp), variable("first", first)],
    )


def _before(value: str) -> str:
    return f"(oldObject == null ? '' : {value})"


def _kept(
    name: str,
    rules: list[Manifest],
    templates: tuple[str, ...] = (),
    *,
    variables: list[identities.Variable] | None = None,
    or_else: str = "",
    unless_carrier: bool = False,
) -> list[Manifest]:
    """The stamps of an object and of its templates stay as they were."""
    if not rules:
        return []
    places = ["object", *templates]
    same = " &&\n".join(f"{read(f'{each}.metadata')} == {read(f'{_old(each)}.metadata')}" for each in places)
    first = read("oldObject.metadata")
    conditions = [{"name": "changes-a-stamp", "expression": f"!({same})"}]
    if unless_carrier:  # they write a status a hundred times for a hundred pods
        conditions.insert(0, {"name": "not-by-its-controller", "expression": NO_CARRIER})
    return refusing.policy(
        name,
        only("UPDATE", rules),
        [
            unless(
                f"{or_else}({same})", f"""'OWNER_FORGED: {_KEEPS} "' + {first} + '", in its template too'"""
            )
        ],
        conditions=conditions,
        variables=variables,
    )


def _old(place: str) -> str:
    return place.replace("object", "oldObject", 1)
