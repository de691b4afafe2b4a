"""What the API server makes of a pod's resources when only a part of them was written.

The rules are those of `SetObjectDefaults_Pod` in k8s.io/kubernetes/pkg/apis/core/v1 (1.36). A pod that comes
from the API server has been through them already, and they change nothing of it; a manifest that somebody
wants explained has not.
"""

from labquota.quota import quantities
from labquota.quota.pods import ResourceList, Resources
from labquota.quota.quantities import MILLI

NanoList = dict[str, int]
"""Resource name to nano-units. An explicit zero is kept: it is not the same as nothing."""


def read(written: ResourceList) -> NanoList:
    """One resource list as it is stored: every quantity rounded up to thousandths."""
    return {name: quantities.stored(text) for name, text in written.items()}


def stored(resources: Resources) -> tuple[NanoList, NanoList]:
    """Requests and limits of one container: a limit without a request is a request too."""
    limits = read(resources.limits)
    return {**limits, **read(resources.requests)}, limits


def written(resources: Resources) -> tuple[NanoList, NanoList]:
    """As `stored`, before the rounding: what the defaults of the pod level are made of."""
    limits = _exact(resources.limits)
    return {**limits, **_exact(resources.requests)}, limits


def pod_level(resources: Resources, requests: NanoList, limits: NanoList) -> tuple[NanoList, NanoList]:
    """Pod-level requests and limits, as far as the scheduler heeds them.

    Args:
        resources: spec.resources.
        requests: The sum over the containers, as `written`.
        limits: Likewise.

    Returns:
        Requests and limits by resource name, as stored; only cpu, memory and huge pages.
    """
    asked, capped = _exact(resources.requests), _exact(resources.limits)
    if asked or capped:
        for name, nano in limits.items():
            if name.startswith("hugepages-") and name not in asked:
                capped.setdefault(name, nano)
    if capped:
        for name, nano in requests.items():
            if name in {"cpu", "memory"}:
                asked.setdefault(name, nano)
        for name, nano in capped.items():
            asked.setdefault(name, nano)
    return _supported(asked), _supported(capped)


def _exact(written: ResourceList) -> NanoList:
    return {name: 0 if text is None else quantities.unsigned(text) for name, text in written.items()}


def _supported(amounts: NanoList) -> NanoList:
    return {
        name: -(-nano // MILLI) * MILLI
        for name, nano in amounts.items()
        if name in {"cpu", "memory"} or name.startswith("hugepages-")
    }
