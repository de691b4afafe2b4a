"""What is stamped on an object when it is created: the rule that the policies say in CEL, and what they leave open.

    carrier      hands on what it copies
    person       their own name; a service account's is only the beginning: the account has an owner
    source       whom it names, else as a controller
    controller   nobody's name: where the controller reference leads

A namespace or a service account that its administrators make, or the system, is nobody's: then it pays for itself.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from labquota.quota import owners
from labquota.quota.owners import Owner
from labquota.quota.trust import Trust

USER_LABEL: Final = "labquota.dev/user"
"""Carries the name of a user who owns a pod, where it is a legal label value: for selecting, never for deciding."""

NUDGED_ANNOTATION: Final = "labquota.dev/nudged"
"""On what makes pods: when it was asked to try again, since there was room for what it was refused."""

Wanted = Owner | None | Literal["keep", "follow"]
"""An owner to stamp, None for no stamp, `keep` for the one that is there, `follow` for one that other objects tell."""

LABEL_FORM: Final = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
"""A legal label value that is not empty; the policies have it, too."""
_LABEL: Final = re.compile(LABEL_FORM)

PLACES: Final = frozenset({"namespaces", "serviceaccounts"})
"""Resources that are not run themselves: what is made in them may be theirs."""
_TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "cronjobs.batch": ("spec.jobTemplate", "spec.jobTemplate.spec.template"),
    **dict.fromkeys(
        (
            "replicationcontrollers",
            "daemonsets.apps",
            "deployments.apps",
            "replicasets.apps",
            "statefulsets.apps",
            "jobs.batch",
        ),
        ("spec.template",),
    ),
}


def templates(kind: str) -> tuple[str, ...]:
    """Where objects of a kind (`resource.group`) hold templates of what is made from them."""
    return _TEMPLATES.get(kind, ())


def labelled(kind: str) -> tuple[str, ...]:
    """Where the label stands: on pods, and on the templates that become pods."""
    return ("",) if kind == "pods" else templates(kind)


def label_of(owner: str) -> str:
    """The value of the label for an owner; empty where there is none."""
    kind, _, name = owner.partition(":")
    return name if kind == "user" and _LABEL.fullmatch(name) else ""


def wanted(
    trust: Trust, username: str, groups: Iterable[str], kind: str, annotations: Mapping[str, str]
) -> Wanted:
    """The stamp of a new object.

    Args:
        trust: Whom to believe.
        username: Who creates it.
        groups: Their groups.
        kind: `resource.group`.
        annotations: What they wrote on it.
    """
    role = trust.role(username)
    if role == "carrier":
        return "keep"
    if kind in PLACES:
        if role in ("system", "controller"):
            return None
        if role == "source" or trust.administers(username, groups):
            return trust.named(username, annotations)
    elif role == "controller":
        return "follow"
    elif role == "source":
        return trust.named(username, annotations) or "follow"
    return "follow" if owners.service_account(username) else owners.of_requester(username)
