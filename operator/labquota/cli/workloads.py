"""What makes pods: Pods in manifests, and the templates of Deployments, Jobs and their like."""

from collections.abc import Iterator
from typing import Any, Final, TextIO

import msgspec

from labquota.cli import output
from labquota.cli.failures import BadInput, line
from labquota.quota import gleaning, pods
from labquota.quota.access import Access
from labquota.quota.pods import Pod

MOST_PODS: Final = 10_000
"""Pods of one workload that are explained."""


class Workload(msgspec.Struct, frozen=True):
    """One or more pods alike, all of which its manifest brings at once."""

    kind: str
    name: str
    namespace: str
    pod: Pod
    count: int = 1
    templated: bool = False
    """A controller makes its pods."""
    stored: bool = False
    """It is a pod that exists."""
    access: Access | None = None
    """What may lead out of the pod to GPUs that it does not ask for."""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def read(file: TextIO, where: str, namespace: str, *, given: bool) -> list[Workload]:
    """The workloads of a file of manifests; what makes no pods is left out with a note.

    Args:
        file: YAML or JSON, several documents or Lists.
        where: The file's name for messages.
        namespace: For objects that name none.
        given: The namespace was asked for, so that objects of another one are a mistake.

    Raises:
        BadInput: It cannot be read, or nothing in it makes pods.
    """
    import yaml  # noqa: PLC0415  a stored pod needs none

    try:
        documents = list(yaml.safe_load_all(file))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadInput(f"{where} is not YAML: {line(error)}") from error
    found, idle = [], []
    for number, document in enumerate(documents, 1):
        for manifest in _objects(document, f"{where}, document {number}"):
            workload = _workload(manifest, f"{where}, document {number}", namespace)
            if workload is None:
                idle.append(str(manifest.get("kind")))
                continue
            if given and workload.namespace != namespace:
                raise BadInput(f"{where}: {workload} is not in namespace {namespace}, which -n asks for")
            found.append(workload)
    if not found:
        seen = f", only {', '.join(dict.fromkeys(idle))}" if idle else ""
        raise BadInput(f"{where} holds nothing that makes pods{seen}")
    if idle:
        output.note(f"left out, since they make no pods: {', '.join(dict.fromkeys(idle))}")
    return found


def _objects(document: Any, where: str) -> Iterator[dict[str, Any]]:
    if document is None:
        return
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise BadInput(f"{where} is no Kubernetes object: it has no kind")
    if isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _objects(item, where)
    else:
        yield document


def _workload(manifest: dict[str, Any], where: str, namespace: str) -> Workload | None:
    kind, meta, spec = manifest["kind"], _map(manifest, "metadata"), _map(manifest, "spec")
    name = str(meta.get("name") or meta.get("generateName") or "unnamed")
    namespace = str(meta.get("namespace") or namespace)
    count = 1
    template = manifest
    if kind != "Pod":
        if kind == "CronJob":
            spec = _map(_map(spec, "jobTemplate"), "spec")
        template = _map(spec, "template")
        if not template:
            return None
        count = _count(kind, spec, f"{where}: {kind}/{name}")
    try:
        made = {"metadata": template.get("metadata"), "spec": template.get("spec")}
        pod, access = pods.convert(made), gleaning.convert(made)
    except msgspec.ValidationError as error:
        raise BadInput(f"{where}: {kind}/{name}: {line(error)}") from error
    if not pod.spec.containers:
        if kind != "Pod":
            return None
        raise BadInput(f"{where}: Pod/{name} has no containers")
    return Workload(kind, name, namespace, pod, count, templated=kind != "Pod", access=access)


def _count(kind: str, spec: dict[str, Any], where: str) -> int:
    """How many pods there are at once; of a DaemonSet, which has one for each node, one."""
    if kind in ("Job", "CronJob"):
        wanted = [spec.get("parallelism"), spec.get("completions")]
        numbers = [1 if wanted[0] is None else wanted[0], *wanted[1:]]
    else:
        numbers = [1 if spec.get("replicas") is None else spec["replicas"]]
    counts = [number for number in numbers if number is not None]
    if not all(isinstance(number, int) and number >= 0 for number in counts):
        raise BadInput(f"{where}: the number of pods is not a whole number")
    if min(counts) > MOST_PODS:
        raise BadInput(f"{where}: {min(counts)} pods; at most {MOST_PODS} can be explained")
    return min(counts)


def _map(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}
