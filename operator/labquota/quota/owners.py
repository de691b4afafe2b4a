"""Who pays for a pod: one word for a person, a service account or a namespace.

    request ──stamp──► pod.metadata.annotations["labquota.dev/owner"] ──of_pod()──► Owner
       │                                                                  ▲
       └─ of_requester(): what the stamp must say                         └─ no stamp: the namespace's owner, else
                                                                             the namespace itself

The owner of a stored pod follows from stored objects alone, so that webhook, operator and a recount agree.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, NewType

Owner = NewType("Owner", str)
"""`user:alice`, `serviceaccount:ci/runner` or `namespace:vision`."""

Kind = Literal["User", "ServiceAccount", "Namespace"]

OWNER_ANNOTATION: Final = "labquota.dev/owner"
"""Carries the owner: on a pod as the stamp, on a namespace as the admin's word for what controllers make in it."""

_KINDS: Final[Mapping[str, Kind]] = {
    "user": "User",
    "serviceaccount": "ServiceAccount",
    "namespace": "Namespace",
}
_SERVICE_ACCOUNT: Final = "system:serviceaccount:"
_CONTROLLERS: Final = "system:serviceaccount:kube-system:"
_LONGEST: Final = 1024


class OwnerError(ValueError):
    """A text that names no owner; its message says which form is expected."""


def parse(text: str) -> Owner:
    """The owner that a text names.

    Raises:
        OwnerError: The text has none of the three forms.
    """
    kind, colon, name = text.partition(":")
    if not colon or kind not in _KINDS or not name or len(text) > _LONGEST:
        raise OwnerError(
            f'owner "{text[:80]}" is not of the form user:NAME, serviceaccount:NAMESPACE/NAME or namespace:NAME'
        )
    if kind == "serviceaccount":
        namespace, slash, account = name.partition("/")
        if not (slash and namespace and account) or "/" in account:
            raise OwnerError(f'owner "{text[:80]}" is not of the form serviceaccount:NAMESPACE/NAME')
    return Owner(text)


def kind(owner: Owner) -> Kind:
    """The kind of a parsed owner, as `spec.defaultFor` and `spec.subjects` name it."""
    return _KINDS[owner.partition(":")[0]]


def name(owner: Owner) -> str:
    """What follows the kind: `alice`, `ci/runner`, `vision`."""
    return owner.partition(":")[2]


def account(owner: Owner) -> tuple[str, str]:
    """Namespace and name of an owner that is a service account."""
    namespace, _, found = name(owner).partition("/")
    return namespace, found


def is_reserved(owner: Owner) -> bool:
    """Whether a user's name begins with `system:`, which Kubernetes reserves for its own components."""
    return owner.startswith("user:system:")


def is_controller(username: str) -> bool:
    """Whether a requester is one of the built-in controllers, which make pods for others.

    They run as service accounts of kube-system (`--use-service-account-credentials`), else all as one user.
    """
    if username == "system:kube-controller-manager":
        return True
    return username.startswith(_CONTROLLERS) and username.endswith("-controller")


def service_account(username: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user is; None for whoever is none."""
    if not username.startswith(_SERVICE_ACCOUNT):
        return None
    namespace, _, account = username[len(_SERVICE_ACCOUNT) :].partition(":")
    return namespace, account


def of_requester(username: str) -> Owner:
    """The owner that a requester is, when they act for themselves."""
    if account := service_account(username):
        return Owner(f"serviceaccount:{account[0]}/{account[1]}")
    return Owner(f"user:{username}")


def of_namespace(namespace: str, annotations: Mapping[str, str]) -> Owner:
    """The owner of what controllers make in a namespace: its annotation if that names one, else the namespace."""
    return named(annotations) or Owner(f"namespace:{namespace}")


def of_pod(annotations: Mapping[str, str], namespace: str, namespace_annotations: Mapping[str, str]) -> Owner:
    """The owner of a stored pod: its stamp, else its namespace's owner. Never nobody."""
    return named(annotations) or of_namespace(namespace, namespace_annotations)


@lru_cache(maxsize=4096)
def object_name(owner: Owner) -> str:
    """The name of an owner's objects: a slug that people recognise and a hash that keeps owners apart.

    Two identities may slug alike (`a.b@x`, `a-b-x`), so the name alone never says whose it is. The hash is long enough
    that nobody finds a second identity of the same name.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name(owner).lower()).strip("-")[:38].strip("-")
    digest = hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return f"{slug}-{digest}" if slug else digest


def named(annotations: Mapping[str, str]) -> Owner | None:
    """The owner that annotations name, if they do."""
    text = annotations.get(OWNER_ANNOTATION)
    if not text:
        return None
    try:
        return parse(text)
    except OwnerError:
        return None  # a stamp that names nobody is no stamp; the chain goes on
