"""What an object may carry when it is created: its creator's own name or none, and no maker that nobody vouches for.

The API server turns the whole object into what CEL can read once for each list of expressions, which costs more than
all of them: so one policy for all, with one match condition that is false for what nothing can be said against.
"""

import json
from typing import Final

from labquota.policies import identities, refusing
from labquota.policies.identities import IS_CARRIER, read, variable
from labquota.policies.refusing import only, unless
from labquota.policies.stamping import Manifest
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.trust import Trust

MIRROR: Final = "kubernetes.io/config.mirror"
BY_A_NODE: Final = "request.userInfo.username.startsWith('system:node:')"
NOT_YOURS: Final = f"'OWNER_FORGED: annotation {MIRROR} is for nodes alone'"

_ACCOUNT: Final = "request.userInfo.username.startsWith('system:serviceaccount:')"
_LONGEST: Final = 1024 - len("user:")
"""Of a user's name, as `quota.owners` reads it."""
_MADE: Final = "object.metadata.?ownerReferences.orValue([]).exists(each, each.?controller.orValue(false))"
_PLACES: Final = ("", ".?spec.?template", ".?spec.?jobTemplate", ".?spec.?jobTemplate.?spec.?template")
_STAMPS: Final = ", ".join(
    f"object{each}.?metadata.?annotations[?'{OWNER_ANNOTATION}'].orValue('')" for each in _PLACES
)
_MIRRORED: Final = f"(request.resource.resource == 'pods' && {read('object.metadata', MIRROR)} != '')"


def policies(trust: Trust) -> list[Manifest]:
    """The ValidatingAdmissionPolicies with their bindings."""
    exempt = f"{IS_CARRIER} || {identities.is_source(trust)}"
    plain = (
        f"{exempt} ||\n(!{_MADE} && ({_ACCOUNT} ||\n"
        f"(request.userInfo.username.size() <= {_LONGEST} &&\n"
        f"[{_STAMPS}].all(stamp, stamp == '' || stamp == 'user:' + request.userInfo.username))))"
    )
    return [
        *refusing.policy(
            "owner-guard-created",
            only("CREATE", refusing.built_in()),
            [
                unless(
                    f"variables.exempt || {_ACCOUNT} ||\n[{_STAMPS}].all(stamp, stamp in ['', variables.own])",
                    f"""'OWNER_FORGED: leave annotation {OWNER_ANNOTATION} out; ' + variables.own + ' creates this'""",
                ),
                unless(
                    f"variables.exempt || {_ACCOUNT} || variables.user.size() <= {_LONGEST}",
                    f"'OWNER_FORGED: a user name of more than {_LONGEST} characters owns nothing'",
                ),
                _vouched(
                    f"variables.exempt || !{_MADE} || variables.forOthers || {stamped(trust, 'object')}"
                ),
                unless(f"!{_MIRRORED} || {BY_A_NODE}", NOT_YOURS),
            ],
            conditions=[{"name": "something-to-look-at", "expression": f"{_MIRRORED} || !({plain})"}],
            variables=[*identities.requester(trust), variable("exempt", exempt)],
        ),
        *refusing.policy(
            "owner-guard-made",
            only("CREATE", refusing.of(custom_kinds(trust))),
            [_vouched(f"variables.forOthers || {stamped(trust, 'object')}")],
            conditions=[
                {"name": "with-a-controller-reference", "expression": _MADE},
                {"name": "by-nobody-who-may-name", "expression": f"!({exempt})"},
            ],
            variables=identities.requester(trust),
        ),
    ]


def custom_kinds(trust: Trust) -> list[str]:
    """The custom resources whose references are followed: those that are stamped, and those that never are."""
    return sorted({*trust.kinds, *trust.steps})


def stamped(trust: Trust, manifest: str) -> str:
    """CEL: whether an object has a stamp that counts, so that nobody looks at its references."""
    stamp = f"{read(f'{manifest}.metadata')} != ''"
    if not trust.steps:
        return stamp
    kind = "request.resource.resource + '.' + request.resource.group"
    return f"({stamp} && !({kind} in {json.dumps(sorted(trust.steps))}))"


def _vouched(expression: str) -> dict[str, str]:
    """A controller reference says whose an object without a stamp is, so nobody else writes one where nobody stamps."""
    text = "nobody has stamped this, and its controller reference could lead to anybody"
    return unless(expression, f"'OWNER_FORGED: {text}'")
