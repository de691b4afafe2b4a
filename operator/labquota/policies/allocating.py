"""Who may write GPUAllocations: those of pods the operator alone, holds who pays for them or may act for who does."""

from typing import Final

from labquota.api import GROUP
from labquota.policies import refusing
from labquota.policies.identities import OPERATOR, variable
from labquota.policies.refusing import only, unless
from labquota.policies.stamping import Manifest, rule

_KIND: Final = "gpuallocations"
_MADE: Final = (
    "the operator makes the allocations of pods: "
    "leave spec.pod out, and let no name of a hold begin with pod-"
)
_BY_OTHERS: Final = {
    "name": "not-by-the-operator",
    "expression": f"request.userInfo.username != '{OPERATOR}'",
}
_IS_HOLD: Final = {"name": "is-a-hold", "expression": "!has(object.spec.pod)"}
_ACCOUNT: Final = "system:serviceaccount:"


def policies() -> list[Manifest]:
    """The ValidatingAdmissionPolicies with their bindings."""
    return [*_pods(), *_statuses(), *_owners()]


def _pods() -> list[Manifest]:
    """Nobody makes an allocation in a pod's name, or takes the name of one; what is no part of the spec may change."""
    return refusing.policy(
        "allocation-guard",
        [rule(GROUP, _KIND)],
        [
            unless(
                "request.operation == 'CREATE'\n"
                "? !has(object.spec.pod) && !object.metadata.?name.orValue('').startsWith('pod-')\n"
                ": !has(object.spec.pod) || object.spec == oldObject.spec",
                f"'{_MADE}'",
            )
        ],
        conditions=[_BY_OTHERS],
    )


def _statuses() -> list[Manifest]:
    """Nobody else says which devices somebody has."""
    return refusing.policy(
        "allocation-guard-status",
        only("UPDATE", [rule(GROUP, f"{_KIND}/status")]),
        [unless("false", "'the status of a GPUAllocation is written by the operator alone'")],
        conditions=[_BY_OTHERS],
    )


def _owners() -> list[Manifest]:
    """A hold is charged to who makes it, or to whom they may impersonate; to a namespace by the same verb on it."""
    user, space = _may("users", "{}.substring(5)"), _may("namespaces", "{}.substring(10)")
    account = _may("serviceaccounts", "{}.substring(15).split('/')[1]", "{}.substring(15).split('/')[0]")
    checks = (
        "variables.owner == variables.own ||\n"
        f"(variables.owner.startsWith('user:') && {user}) ||\n"
        f"(variables.owner.matches('^serviceaccount:[^/]+/[^/]+$') && {account}) ||\n"
        f"(variables.owner.startsWith('namespace:') && {space})"
    )
    return refusing.policy(
        "allocation-guard-owner",
        only("CREATE", [rule(GROUP, _KIND)]),
        [
            unless(
                checks,
                "'OWNER_FORGED: ' + variables.own + ' may hold devices for themselves alone, not for '\n"
                "+ variables.owner + ', whom they may not impersonate'",
            )
        ],
        conditions=[_IS_HOLD],
        variables=[
            variable("owner", "object.spec.owner"),
            variable("user", "request.userInfo.username"),
            variable(
                "own",
                f"variables.user.startsWith('{_ACCOUNT}')\n"
                "? 'serviceaccount:' + variables.user.split(':')[2] + '/' + variables.user.split(':')[3]\n"
                ": 'user:' + variables.user",
            ),
        ],
    )


def _may(resource: str, name: str, namespace: str = "") -> str:
    """CEL: whether the requester may impersonate whom the owner names."""
    found = f"authorizer.group('').resource('{resource}')"
    if namespace:
        found += f".namespace({namespace.format('variables.owner')})"
    return f"{found}\n  .name({name.format('variables.owner')}).check('impersonate').allowed()"
