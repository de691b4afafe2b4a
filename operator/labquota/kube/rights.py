"""Whether this process may read the kinds that lead to owners, and the nodes by which GPUs are priced.

It is asked at the start: a right that is missing would be noticed months later, by the first pod whose owner cannot be
told, or by replicas that are never ready.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

import msgspec

from labquota.kube import errors
from labquota.kube.api import Api
from labquota.quota.trust import BUILT_IN_KINDS, Trust

log = logging.getLogger(__name__)

_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_PATIENCE: Final = 10.0
"""Seconds until a right that was just granted has reached every API server, and more."""
_PAUSE: Final = 0.5
_PRICED_BY: Final = ("nodes", "gpunodes.labquota.dev")
_HELD_BY: Final = ("gpuallocations.labquota.dev",)


class MissingRights(Exception):  # noqa: N818  names what is wrong
    """Kinds that may not be read; one line says which, and what to do."""


class _Status(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


async def check(api: Api, trust: Trust, patience: float = _PATIENCE) -> None:
    """Make sure that the makers of pods and service accounts may be read.

    Args:
        api: The API server, as this process.
        trust: Which kinds are followed.
        patience: Seconds for which a missing right is waited for.

    Raises:
        MissingRights: One is still missing.
    """
    kinds = ["namespaces", "serviceaccounts", *BUILT_IN_KINDS, *trust.kinds, *trust.steps]
    if missing := await _lacking(api, "get", kinds, patience):
        raise MissingRights(
            f"{', '.join(missing)} may not be read, so owners cannot be found by them: apply what "
            "`labquota policies` prints for these settings (LABQUOTA_OWNERS), or leave them out of `kinds`"
        )


async def check_nodes(api: Api, patience: float = _PATIENCE) -> None:
    """Make sure that nodes and what their agents report may be watched: without them no GPU has a price.

    Args:
        api: The API server, as this process.
        patience: Seconds for which a missing right is waited for.

    Raises:
        MissingRights: One is still missing.
    """
    if missing := await _lacking(api, "list", _PRICED_BY, patience):
        raise MissingRights(
            f"{' and '.join(missing)} may not be listed, so nobody knows which GPUs there are and what they cost: "
            "apply config/install/rbac.yaml of this release"
        )


async def check_holds(api: Api, patience: float = _PATIENCE) -> None:
    """Make sure that GPUAllocations may be watched: holds are charged by them.

    Args:
        api: The API server, as this process.
        patience: Seconds for which a missing right is waited for.

    Raises:
        MissingRights: It is still missing.
    """
    if missing := await _lacking(api, "list", _HELD_BY, patience):
        raise MissingRights(
            f"{missing[0]} may not be listed, so nobody knows what is held without a pod: "
            "apply config/install/allocations.yaml of this release"
        )


async def _lacking(api: Api, verb: str, kinds: Iterable[str], patience: float) -> list[str]:
    """The kinds for which a right is missing, also after a while; none where the API server does not answer."""
    try:
        missing = await _missing(api, verb, kinds)
        for _ in range(round(patience / _PAUSE)):
            if not missing:
                return []
            await asyncio.sleep(_PAUSE)
            missing = await _missing(api, verb, missing)
    except errors.KubeError as error:  # who starts before the API server does is not to be kept from it
        log.warning("rights are not checked", extra={"error": str(error)})
        return []
    return missing


async def _missing(api: Api, verb: str, kinds: Iterable[str]) -> list[str]:
    asked = list(kinds)
    answers = await asyncio.gather(*(_may(api, verb, kind) for kind in asked))
    return [kind for kind, allowed in zip(asked, answers, strict=True) if not allowed]


async def _may(api: Api, verb: str, kind: str) -> bool:
    resource, _, group = kind.partition(".")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": verb, "group": group, "resource": resource}},
    }
    body = await api.create(_REVIEWS, msgspec.json.encode(review))
    return msgspec.json.decode(body, type=_Review).status.allowed
