"""What a namespace's LimitRanges add to a pod before the webhook sees it.

The rules of the LimitRanger admission plugin: for each LimitRange by name, a container that leaves a resource unset
gets `default` as its limit and `defaultRequest` as its request; a limit that was written is a request already.
"""

from typing import Any

import msgspec

from labquota.cli import output
from labquota.cli.cluster import Cluster, segment
from labquota.cli.failures import Forbidden
from labquota.cli.workloads import Workload
from labquota.kube.errors import NotFound
from labquota.quota.pods import Resources


class _Item(msgspec.Struct, rename="camel"):
    type: str = ""
    default: dict[str, Any] = {}
    default_request: dict[str, Any] = {}


class _Spec(msgspec.Struct):
    limits: list[_Item] = []


class _Range(msgspec.Struct):
    spec: _Spec


class _Ranges(msgspec.Struct):
    items: list[_Range]


def apply(cluster: Cluster, workloads: list[Workload]) -> None:
    """Complete the containers of workloads that are not stored yet, as their namespaces' LimitRanges would."""
    known: dict[str, list[_Item]] = {}
    for workload in workloads:
        if workload.stored:
            continue
        if workload.namespace not in known:
            known[workload.namespace] = _read(cluster, workload.namespace)
        spec = workload.pod.spec
        for item in known[workload.namespace]:
            for container in (*spec.init_containers, *spec.containers):
                container.resources = _completed(container.resources, item)


def _read(cluster: Cluster, namespace: str) -> list[_Item]:
    try:
        body = cluster.get(f"/api/v1/namespaces/{segment(namespace)}/limitranges")
    except NotFound:
        return []
    except Forbidden as error:
        output.note(f"defaults of LimitRanges in {namespace} are not counted: {error.message}")
        return []
    ranges = msgspec.json.decode(body, type=_Ranges).items
    return [item for each in ranges for item in each.spec.limits if item.type == "Container"]


def _completed(resources: Resources, item: _Item) -> Resources:
    requests = {**resources.limits, **resources.requests}
    return Resources(
        requests={**item.default_request, **requests}, limits={**item.default, **resources.limits}
    )
