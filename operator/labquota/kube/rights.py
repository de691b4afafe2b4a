"""Whether this process may read the kinds that lead to owners: asked once, at the start.

A right that is missing would be noticed months later, by the first pod whose owner cannot be told.
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
    missing: list[str] = ["namespaces", "serviceaccounts", *BUILT_IN_KINDS, *trust.kinds, *trust.steps]
    try:
        missing = await _missing(api, missing)
        for _ in range(round(patience / _PAUSE)):
            if not missing:
                return
            await asyncio.sleep(_PAUSE)
            missing = await _missing(api, missing)
    except errors.KubeError as error:  # who starts before the API server does is not to be kept from it
        log.warning("rights are not checked", extra={"error": str(error)})
        return
    if missing:
        raise MissingRights(
            f"{', '.join(missing)} may not be read, so owners cannot be found by them: apply what "
            "`labquota policies` prints for these settings (LABQUOTA_OWNERS), or leave them out of `kinds`"
        )


async def _missing(api: Api, kinds: Iterable[str]) -> list[str]:
    asked = list(kinds)
    answers = await asyncio.gather(*(_may_read(api, kind) for kind in asked))
    return [kind for kind, allowed in zip(asked, answers, strict=True) if not allowed]


async def _may_read(api: Api, kind: str) -> bool:
    resource, _, group = kind.partition(".")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "group": group, "resource": resource}},
    }
    body = await api.create(_REVIEWS, msgspec.json.encode(review))
    return msgspec.json.decode(body, type=_Review).status.allowed
