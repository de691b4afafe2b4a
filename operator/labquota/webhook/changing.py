"""What a review of a workload is about: the workload as it was, and as it will be."""

import asyncio
from typing import Final
from urllib.parse import quote

import msgspec

from labquota.kube.api import Api
from labquota.quota import gleaning, workloads
from labquota.quota.access import Access
from labquota.quota.outlook import Change
from labquota.quota.workloads import Workload

_LOOKS: Final = 3
_LOOK_SECONDS: Final = 0.15
"""A status tells of new pods a moment late: so often and so long it is waited for."""
_NOTHING: Final = msgspec.Raw(b"null")


class _User(msgspec.Struct, gc=False):
    username: str = ""
    groups: tuple[str, ...] = ()


class _Resource(msgspec.Struct, gc=False):
    group: str = ""
    resource: str = ""


class Request(msgspec.Struct, rename="camel", gc=False):
    """The request of an AdmissionReview."""

    uid: str
    operation: str
    resource: _Resource
    object: msgspec.Raw
    old_object: msgspec.Raw = _NOTHING
    sub_resource: str = ""
    namespace: str = ""
    name: str = ""
    user_info: _User = msgspec.field(default_factory=_User)
    dry_run: bool = False


class _Review(msgspec.Struct, gc=False):
    request: Request


class _Templated(msgspec.Struct, gc=False):
    template: msgspec.Raw = msgspec.Raw()


class _Made(msgspec.Struct, gc=False):
    spec: _Templated = msgspec.field(default_factory=_Templated)


class _Replicas(msgspec.Struct, gc=False):
    replicas: int = 0


class _Scale(msgspec.Struct, gc=False):
    spec: _Replicas = msgspec.field(default_factory=_Replicas)


_REVIEW: Final = msgspec.json.Decoder(_Review)
_SCALE: Final = msgspec.json.Decoder(_Scale)
_MADE: Final = msgspec.json.Decoder(_Made)
_WORKLOAD: Final = msgspec.json.Decoder(Workload)


def decode(body: bytes) -> Request:
    """The request of a review.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: It is none.
    """
    return _REVIEW.decode(body).request


async def of(api: Api, request: Request) -> Change | None:
    """What a request changes; None where it makes no pods.

    Raises:
        KubeError: The API server does not answer.
        msgspec.DecodeError: An object cannot be read.
    """
    resource = request.resource.resource
    if resource not in workloads.KINDS:
        return None
    old: Workload | None = None
    access: Access | None = None
    replaces = False
    if request.sub_resource == "scale":  # it tells nothing of what is scaled
        old = await _stored(api, request)
        replicas = _SCALE.decode(request.object).spec.replicas
        new = msgspec.structs.replace(old, spec=msgspec.structs.replace(old.spec, replicas=replicas))
    else:
        new, access = _WORKLOAD.decode(request.object), gleaning.of_template(request.object)
        if request.operation == "UPDATE":
            old = _WORKLOAD.decode(request.old_object)
            before, after = _MADE.decode(request.old_object), _MADE.decode(request.object)
            replaces = bytes(before.spec.template) != bytes(after.spec.template)
    if not new.template.spec.containers:
        return None
    if old is not None:
        old = await _caught_up(api, request, old)
    name = request.name or new.metadata.name or "unnamed"
    return Change(resource, request.namespace, name, new, old, replaces, access)


async def _caught_up(api: Api, request: Request, old: Workload) -> Workload:
    """What is changed, with a status that shows all the pods that it is to have; or fewer for a while already."""
    resource = request.resource.resource
    if resource == "cronjobs" or old.is_waiting:
        return old
    for _ in range(_LOOKS):
        if workloads.made(resource, old) >= workloads.wanted(resource, old):
            break
        await asyncio.sleep(_LOOK_SECONDS)
        old = msgspec.structs.replace(old, status=(await _stored(api, request)).status)
    return old


async def _stored(api: Api, request: Request) -> Workload:
    kind, place = request.resource, f"namespaces/{quote(request.namespace, safe='')}"
    root = f"/apis/{kind.group}/v1" if kind.group else "/api/v1"
    return _WORKLOAD.decode(await api.get(f"{root}/{place}/{kind.resource}/{quote(request.name, safe='')}"))
