"""Who asks, and whose limits are meant."""

from typing import Final

import msgspec

from labquota.cli.cluster import Cluster
from labquota.cli.failures import BadInput
from labquota.cli.flags import Target
from labquota.quota import owners
from labquota.quota.owners import Owner, OwnerError

_REVIEW: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_KINDS: Final = ("user:", "serviceaccount:", "namespace:")
CONTROLLER: Final = "system:serviceaccount:kube-system:replicaset-controller"
"""Stands for all built-in controllers, which make pods for others."""


class Identity(msgspec.Struct, frozen=True):
    """A user as the API server sees them."""

    username: str
    groups: tuple[str, ...] = ()

    @property
    def owner(self) -> Owner:
        """The owner that they are when they make pods themselves."""
        return owners.of_requester(self.username)


class _UserInfo(msgspec.Struct):
    username: str = ""
    groups: tuple[str, ...] = ()


class _Status(msgspec.Struct):
    user: _UserInfo = msgspec.field(name="userInfo")


class _Review(msgspec.Struct):
    status: _Status


def of_cluster(cluster: Cluster) -> Identity:
    """How the cluster sees us (or whom we ask as), by SelfSubjectReview, which everybody may create.

    Raises:
        NoAnswer: The cluster does not say.
    """
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    user = msgspec.json.decode(cluster.create(_REVIEW, review), type=_Review).status.user
    return Identity(user.username, user.groups)


def of_target(target: Target) -> Identity | None:
    """Whom `--as` and `--as-group` name; nobody without them."""
    return Identity(target.user, target.groups) if target.user else None


def owner_named(text: str) -> Owner:
    """The owner that a person means: one of the three forms, or the bare name of a user.

    A user's name may hold a colon itself (`oidc:alice`); only the three kinds are taken for kinds.

    Raises:
        BadInput: It names nobody.
    """
    try:
        if text.startswith(_KINDS):
            return owners.parse(text)
        return owners.parse(owners.of_requester(text))
    except OwnerError as error:
        raise BadInput(str(error)) from error


def username(owner: Owner) -> str:
    """Who makes an owner's pods: a user or service account themselves, a controller for a namespace."""
    kind, name = owners.kind(owner), owners.name(owner)
    if kind == "User":
        return name
    return CONTROLLER if kind == "Namespace" else f"system:serviceaccount:{name.replace('/', ':')}"
