"""The pods that a workload has when somebody changes it, and what they hold of their owner's budget.

Its status tells of them a moment late, and nothing of those that are on their way out, which hold budget until they are
gone.
"""

from typing import Final
from urllib.parse import quote

import msgspec

from labquota.kube.api import Api
from labquota.quota import demand, owners, workloads
from labquota.quota.amounts import Amounts, add
from labquota.quota.outlook import Running
from labquota.quota.owners import Owner
from labquota.quota.pods import Pod, Reference
from labquota.quota.quantities import QuantityError
from labquota.quota.workloads import Workload

_MOST: Final = 500
"""Pods that are looked at one by one; of more, the status is precise enough."""


class _List(msgspec.Struct, gc=False):
    items: list[Pod] = []


_LIST: Final = msgspec.json.Decoder(_List)


async def count(api: Api, resource: str, workload: Workload, namespace: str, owner: Owner) -> Running | None:
    """What there is of a workload; None where its status must do.

    Args:
        api: The API server.
        resource: Its kind, one of `workloads.KINDS`.
        workload: It.
        namespace: Where it is.
        owner: Who pays for its pods.

    Raises:
        KubeError: The API server does not answer, or does not let us.
        msgspec.DecodeError: Its answer cannot be read.
    """
    labels = workload.spec.labels
    if not labels or workloads.made(resource, workload) > _MOST:
        return None
    params = {
        "labelSelector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        "resourceVersion": "0",
    }
    found = _LIST.decode(await api.get(f"/api/v1/namespaces/{quote(namespace, safe='')}/pods", params))
    number, held = 0, Amounts()
    for pod in found.items:
        meta = pod.metadata
        if not demand.charged(pod) or not _is_made_by(resource, workload, meta.maker):
            continue
        if owners.named(meta.annotations) not in (owner, None):
            continue  # somebody else pays for it
        try:
            held = add(held, demand.held(pod))
        except QuantityError:
            continue
        number += meta.deletion_timestamp is None
    return Running(number, held)


def _is_made_by(resource: str, workload: Workload, maker: Reference | None) -> bool:
    """Whether a pod is its own; a Deployment's are those of its ReplicaSets."""
    if maker is None:
        return False
    if resource == "deployments":
        return maker.kind == "ReplicaSet" and maker.name.startswith(f"{workload.metadata.name}-")
    return maker.uid == workload.metadata.uid
