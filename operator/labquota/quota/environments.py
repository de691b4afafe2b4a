"""Variables by which a container's environment gets it GPUs: written in the pod, or in what it takes them from.

What an environment takes from ConfigMaps and Secrets as a whole is looked through. A variable that counts and whose
value is written elsewhere is refused unread: it could change before the container starts, and nobody needs it.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from labquota.quota import verdict
from labquota.quota.access import CUDA, REQUIRED, VARIABLES, VISIBLE, Access, Container, Written
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.lookups import GONE, Facts, Lookup
from labquota.quota.verdict import Refused

MOST_SOURCES: Final = 16
"""ConfigMaps and Secrets that are looked through for one pod."""
ASK: Final = "ask for nvidia.com/gpu or a MIG slice under resources.limits"
_ELSEWHERE: Final = "\0"
"""The value of a variable that is written in another object."""
_MOST_SHOWN: Final = 60


def of(access: Access, namespace: str, settings: GPUSettings, facts: Facts) -> Iterator[Refused | Lookup]:
    """What a pod's environments bring its containers, or which objects have to be read before that can be told."""
    if access.written is not None and access.written.value is not None:
        yield from _written(access.written, access.written.value)
    sources = {
        lookup for each in access.containers if not _is_settled(each) for lookup in _sources(each, namespace)
    }
    if len(sources) > MOST_SOURCES:
        why = (
            f"its containers take variables from {len(sources)} ConfigMaps and Secrets, of which at most "
            f"{MOST_SOURCES} are looked through for {VISIBLE}; set it to void in each of them"
        )
        yield Refused(verdict.NOT_REQUESTED, why, "spec.containers[].envFrom")
        return
    if unread := sorted(sources - facts.keys()):
        yield from unread
        return
    for each in access.containers:
        yield from _of_one(each, namespace, settings, facts)


def _of_one(container: Container, namespace: str, settings: GPUSettings, facts: Facts) -> Iterator[Refused]:
    found = _variables(container, namespace, facts)
    who, place = f"container {container.name}", f"spec.{container.field}[{container.name}]"
    asks = any(
        settings.is_gpu_like(name) and str(amount) not in ("", "0")
        for asked in (container.resources.requests, container.resources.limits)
        for name, amount in asked.items()
    )
    if VISIBLE in found:
        text, source, part = found[VISIBLE]
        if not _is_harmless(text):
            what = "from elsewhere" if text == _ELSEWHERE else f"to {shown(text)}{source}"
            if source.startswith(" by Secret"):
                what = source.strip()  # not everybody who may use a Secret may read it
            more = "more GPUs than it asks for" if asks else "GPUs that it does not ask for"
            do = "the device plugin sets it" if asks else ASK
            why = f"{who} sets {VISIBLE} {what} and so reaches {more}; leave it out: {do}"
            yield Refused(verdict.NOT_REQUESTED, why, f"{place}.{part}[{VISIBLE}]")
    elif CUDA in found and found[CUDA][0] and not (REQUIRED in found and found[REQUIRED][0]) and not asks:
        why = (
            f"{who} sets {CUDA}{found[CUDA][1]}, for which NVIDIA's container runtime gives it all GPUs; "
            f"set {VISIBLE} to void beside it, or leave it out"
        )
        yield Refused(verdict.NOT_REQUESTED, why, f"{place}.{found[CUDA][2]}[{CUDA}]")


def _variables(container: Container, namespace: str, facts: Facts) -> Mapping[str, tuple[str, str, str]]:
    """The variables that count, as the kubelet puts them together: value, source in words, field."""
    found: dict[str, tuple[str, str, str]] = {}
    for source in container.env_from:
        for kind, ref in (("ConfigMap", source.config_map_ref), ("Secret", source.secret_ref)):
            if ref is None:
                continue
            for key, text in facts.get(_lookup(kind, namespace, ref.name), GONE).variables.items():
                if (name := source.prefix + key) in VARIABLES:
                    found[name] = text, f" by {kind} {ref.name}", "envFrom"
    # of two of one name whichever counts: nobody but who wants to confuse writes both
    for each in sorted(
        container.env, key=lambda one: one.value_from is not None or not _is_harmless(one.value)
    ):
        if each.name in VARIABLES:
            found[each.name] = _ELSEWHERE if each.value_from is not None else each.value, "", "env"
    return found


def _written(written: Written, value: str) -> Iterator[Refused]:
    if not _is_harmless(value):
        what = "" if written.kind == "Secret" else f" to {shown(value)}"
        why = (
            f"{written.kind} {written.name} sets {VISIBLE}{what}, by which containers that take their variables from "
            f"it reach GPUs that they do not ask for; set it to void or leave it out: {ASK}"
        )
        yield Refused(verdict.NOT_REQUESTED, why, f"data[{VISIBLE}]")


def _is_settled(container: Container) -> bool:
    """Whether the container says itself which GPUs it sees, whatever stands in the objects that it names."""
    return any(each.name == VISIBLE for each in container.env)


def _sources(container: Container, namespace: str) -> Iterator[Lookup]:
    for each in container.env_from:
        if not any(name.startswith(each.prefix) for name in VARIABLES):
            continue
        if each.config_map_ref is not None:
            yield _lookup("ConfigMap", namespace, each.config_map_ref.name)
        if each.secret_ref is not None:
            yield _lookup("Secret", namespace, each.secret_ref.name)


def _lookup(kind: str, namespace: str, name: str) -> Lookup:
    return Lookup("configmaps" if kind == "ConfigMap" else "secrets", namespace, name)


def _is_harmless(text: str) -> bool:
    """Whether a container that sees these GPUs sees none: nothing, `none` alone, or `void` among any."""
    names = {part.strip() for part in text.split(",")} - {""}
    return not names or names == {"none"} or "void" in names


def shown(text: str) -> str:
    """What somebody else has written, in quotes and not too long."""
    return f'"{text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."}"'
