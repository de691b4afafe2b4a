"""What nobody may do to a stamp once it is there: refused inside the API server."""

from typing import Final

from labquota.policies import doors, identities, refusing
from labquota.policies.identities import MAY_RENAME, NO_CARRIER, OPERATOR, read, variable
from labquota.policies.refusing import only, unless
from labquota.policies.stamping import CRON_TEMPLATES, TEMPLATES, Manifest, custom, rule
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.trust import Trust

_KEEPS: Final = f"annotation {OWNER_ANNOTATION} says who created it and stays"
_ACCOUNT: Final = "request.userInfo.username.startsWith('system:serviceaccount:')"
_LONGEST: Final = 1024
"""Of an owner, as `quota.owners` reads it."""


def policies(trust: Trust) -> list[Manifest]:
    """The ValidatingAdmissionPolicies with their bindings, those of `doors` included."""
    requester = identities.requester(trust)
    places = [rule("", "namespaces", "namespaces/status", "namespaces/finalize", "serviceaccounts")]
    return [
        *_pods(),
        *_created(trust),
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
    """A pod's stamp stays, whatever subresource is written, and a binding, which is merged into the pod, has none."""
    subresources = ("pods", "pods/status", "pods/resize", "pods/ephemeralcontainers")
    pinned = (
        f"(request.userInfo.username == '{OPERATOR}' &&\n"
        "(variables.first == '' || variables.first.startsWith('serviceaccount:')))"
    )
    return refusing.policy(
        "owner-guard",
        [*only("UPDATE", [rule("", *subresources)]), *doors.BINDINGS],
        [
            unless(
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
    places = ("", ".?spec.?template", ".?spec.?jobTemplate", ".?spec.?jobTemplate.?spec.?template")
    stamps = [f"object{each}.?metadata.?annotations[?'{OWNER_ANNOTATION}'].orValue('')" for each in places]
    return refusing.policy(
        "owner-guard-created",
        only("CREATE", refusing.built_in()),
        [
            unless(
                "variables.stamps.all(stamp, stamp in ['', variables.own])",
                f"""'OWNER_FORGED: leave annotation {OWNER_ANNOTATION} out; ' + variables.own + ' creates this'""",
            ),
            unless(
                f"variables.own.size() <= {_LONGEST}",
                f"'OWNER_FORGED: a user name of more than {_LONGEST - len('user:')} characters owns nothing'",
            ),
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
    # they write a status a hundred times for a hundred pods
    conditions = [{"name": "not-by-its-controller", "expression": NO_CARRIER}] if unless_carrier else None
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
