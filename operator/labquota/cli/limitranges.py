"""The LimitRanges of the namespaces that workloads are for: they complete pods before the webhook sees them."""

from labquota.cli import output
from labquota.cli.cluster import Cluster, segment
from labquota.cli.failures import Forbidden
from labquota.cli.workloads import Workload
from labquota.kube.errors import NotFound
from labquota.quota import limitranges
from labquota.quota.limitranges import Item


def apply(cluster: Cluster, workloads: list[Workload]) -> None:
    """Complete the containers of workloads that are not stored yet, as their namespaces' LimitRanges would."""
    known: dict[str, list[Item]] = {}
    for workload in workloads:
        if workload.stored:
            continue
        if workload.namespace not in known:
            known[workload.namespace] = _read(cluster, workload.namespace)
        limitranges.complete(workload.pod.spec, known[workload.namespace])


def _read(cluster: Cluster, namespace: str) -> list[Item]:
    try:
        body = cluster.get(f"/api/v1/namespaces/{segment(namespace)}/limitranges")
    except NotFound:
        return []
    except Forbidden as error:
        output.note(f"defaults of LimitRanges in {namespace} are not counted: {error.message}")
        return []
    return limitranges.decode(body)
