"""A first look at a pod under review: whether it holds anything by which containers reach what they do not ask for.

Every pod is looked at, and few hold any of it. So those parts are skipped as text by the decoder, searched for a word,
and let go again, for they would keep the whole review in memory; what is found has `gleaning` decode it properly.
"""

from typing import Final

import msgspec

from labquota.quota import pods
from labquota.quota.access import CDI, CRIO, CUDA, VISIBLE

_NONE: Final = msgspec.Raw()
_VISIBLE: Final = VISIBLE.encode()
_CUDA: Final = CUDA.encode()


class Container(pods.Container):
    """A container with its environment and its security context, as text."""

    env: msgspec.Raw = _NONE
    env_from: msgspec.Raw = _NONE
    security_context: msgspec.Raw = _NONE


class Spec(pods.Spec):
    """What the pod is asked to be, with what leads out of it."""

    containers: list[Container] = msgspec.field(default_factory=list)  # type: ignore[assignment]  # it is only read
    init_containers: list[Container] = msgspec.field(default_factory=list)  # type: ignore[assignment]  # as above
    volumes: msgspec.Raw = _NONE
    resource_claims: msgspec.Raw = _NONE
    runtime_class_name: str = ""


class Pod(pods.Pod):
    """One pod under review."""

    spec: Spec = msgspec.field(default_factory=Spec)


def at(pod: Pod) -> bool:
    """Whether there is something to look at properly. The pod is as slim as any other afterwards."""
    spec = pod.spec
    found = bool(spec.runtime_class_name) or spec.resource_claims is not _NONE
    spec.resource_claims = _NONE
    if spec.volumes is not _NONE:
        found = found or b'"hostPath"' in bytes(spec.volumes)
        spec.volumes = _NONE
    for several in (spec.init_containers, spec.containers):
        for each in several:
            if each.env is not _NONE:
                text = bytes(each.env)
                found = found or _VISIBLE in text or _CUDA in text
                each.env = _NONE
            if each.env_from is not _NONE:
                found, each.env_from = True, _NONE
            if each.security_context is not _NONE:
                found = found or b'"privileged"' in bytes(each.security_context)
                each.security_context = _NONE
    for key in pod.metadata.annotations:
        if CDI in key or key == CRIO:
            return True
    return found
