"""Devices that a pod claims by dynamic resource allocation (DRA): GPUs among them are not counted yet, so not given.

    pod.spec.resourceClaims ──► ResourceClaim, or its template ──► DeviceClasses that its requests name
    containers' resources   ──► deviceclass.resource.kubernetes.io/<class>, or a name that some DeviceClass goes by

What cannot be read is refused: a GPU is never free because nobody could look.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from labquota.quota import verdict
from labquota.quota.access import Access, Claim
from labquota.quota.environments import ASK
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.lookups import DeviceClass, Facts, Found, Lookup
from labquota.quota.verdict import Refused

MOST: Final = 16
"""Claims of one pod that are looked at. Nobody needs as many, and nobody may have more read than there is time for."""
_BY_NAME: Final = "deviceclass.resource.kubernetes.io/"
_EVERY_CLASS: Final = Lookup("deviceclasses", "", "")
_APPLY: Final = "have an administrator apply config/install/rbac.yaml"
_FIELD: Final = "spec.resourceClaims[{}]"


def of(
    access: Access, foreign: Iterable[str], namespace: str, settings: GPUSettings, facts: Facts
) -> Iterator[Refused | Lookup]:
    """Which of a pod's claims are for GPUs, or what has to be read before that can be told.

    Args:
        access: What may lead out of the pod, or a claim that somebody writes.
        foreign: Extended resources that it asks for and that are no GPUs by their names.
        namespace: The pod's.
        settings: The administrator's word on GPUs.
        facts: What was read already.
    """
    if access.written is not None:
        who = f"{access.written.kind} {access.written.name}"
        for name in access.written.classes:
            yield from _class(name, who, "spec.devices.requests", settings, facts)
    if len(access.claims) > MOST:
        why = f"the pod makes {len(access.claims)} claims, of which at most {MOST} are looked at; make fewer"
        yield Refused(verdict.DRA, why, "spec.resourceClaims")
        return
    for each in access.claims:
        yield from _claim(each, namespace, settings, facts)
    for name in foreign:
        yield from _resource(name, settings, facts)


def _claim(claim: Claim, namespace: str, settings: GPUSettings, facts: Facts) -> Iterator[Refused | Lookup]:
    if claim.resource_claim_template_name:
        what, name = "ResourceClaimTemplate", claim.resource_claim_template_name
        lookup = Lookup("resourceclaimtemplates", namespace, name)
    else:
        what, name = "ResourceClaim", claim.resource_claim_name
        lookup = Lookup("resourceclaims", namespace, name)
    who, field = f"claim {claim.name} ({what} {name})", _FIELD.format(claim.name)
    if lookup not in facts:
        yield lookup
        return
    found = facts[lookup]
    if not found.exists:
        why = f"{who} {_unread(found)}, so nobody can tell whether it is for a GPU; {_mend(found, 'create it first')}"
        yield Refused(verdict.DRA, why, field)
        return
    for each in found.classes:
        yield from _class(each, who, field, settings, facts)


def _resource(name: str, settings: GPUSettings, facts: Facts) -> Iterator[Refused | Lookup]:
    who, field = f"resource {name}", f"spec.containers[].resources.limits[{name}]"
    if name.startswith(_BY_NAME):
        yield from _class(name.removeprefix(_BY_NAME), who, field, settings, facts)
        return
    if _EVERY_CLASS not in facts:
        yield _EVERY_CLASS
        return
    known = facts[_EVERY_CLASS]
    if not known.readable:
        why = f"DeviceClasses may not be read by labquota, so nobody can tell whether {who} is for GPUs; {_APPLY}"
        yield Refused(verdict.DRA, why, field)
    for each in known.device_classes:
        if each.extended_resource == name and _is_for_gpus(each, settings):
            yield _refused(who, each.name, field)


def _class(
    name: str, who: str, field: str, settings: GPUSettings, facts: Facts
) -> Iterator[Refused | Lookup]:
    if name in settings.device_classes:
        yield _refused(who, name, field)
        return
    if _EVERY_CLASS not in facts:
        yield _EVERY_CLASS
        return
    known = facts[_EVERY_CLASS]
    given = next((each for each in known.device_classes if each.name == name), None)
    if given is None:
        why = f"{who} asks for DeviceClass {name}, which {_unread(known)}; {_mend(known, 'use one that is there')}"
        yield Refused(verdict.DRA, why, field)
    elif _is_for_gpus(given, settings):
        yield _refused(who, name, field)


def _is_for_gpus(given: DeviceClass, settings: GPUSettings) -> bool:
    """Whether devices of a class may be GPUs: it is listed, its selectors name one that is, or it has none at all."""
    if given.name in settings.device_classes or not given.selectors:
        return True
    return any(name in text for name in settings.device_classes for text in given.selectors)


def _refused(who: str, device_class: str, field: str) -> Refused:
    why = (
        f"{who} is for GPUs (DeviceClass {device_class}), which are not counted when they are claimed; {ASK}"
    )
    return Refused(verdict.DRA, why, field)


def _unread(found: Found) -> str:
    return "is not there" if found.readable else "may not be read by labquota"


def _mend(found: Found, otherwise: str) -> str:
    return otherwise if found.readable else _APPLY
