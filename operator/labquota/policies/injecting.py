"""Kinds by which people have other webhooks write on pods: what they inject carries no name of ours.

A mutating webhook may come after the stamping, and its annotations count as those that a controller copied. PodDefaults
of Kubeflow are written by whoever may edit a profile. A kind that is not installed costs nothing.
"""

from typing import Final

from labquota.policies import refusing
from labquota.policies.refusing import unless
from labquota.policies.stamping import Manifest, rule

_OURS: Final = "labquota.dev/"


def policies() -> list[Manifest]:
    """The ValidatingAdmissionPolicy with its binding."""
    injected = "[object.?spec.?annotations.orValue({}), object.?spec.?labels.orValue({})]"
    return refusing.policy(
        "owner-guard-injections",
        [rule("kubeflow.org", "poddefaults")],
        [
            unless(
                f"{injected}.all(each, each.all(key, !key.startsWith('{_OURS}')))",
                f"'OWNER_FORGED: leave what begins with {_OURS} out of what is written on pods'",
            )
        ],
    )
