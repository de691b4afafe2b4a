"""What the API server fills in of a pod's resources when only a part was written.

The rules are those of `SetDefaults_Pod` in k8s.io/kubernetes/pkg/apis/core/v1 (1.36). A pod that comes
from the API server has been through them already, and they change nothing of it; a manifest that somebody
wants explained has not.
"""

from labquota.quota import pods, quantities
from labquota.quota.pods import Resources

NanoList = dict[str, int]
"""Resource name to nano-units. An explicit zero is kept: it is not the same as nothing."""


def read(written: pods.ResourceList) -> NanoList:
    """The quantities of one resource list."""
    return {name: quantities.unsigned(text or 0) for name, text in written.items()}


def container(resources: Resources) -> tuple[NanoList, NanoList]:
    """Requests and limits of one container: a limit without a request is a request too."""
    limits = read(resources.limits)
    return {**limits, **read(resources.requests)}, limits


def pod_level(resources: Resources, requests: NanoList, limits: NanoList) -> tuple[NanoList, NanoList]:
    """Pod-level requests and limits, as far as the scheduler heeds them.

    Args:
        resources: spec.resources.
        requests: The sum over the containers, as asked.
        limits: Likewise.

    Returns:
        Requests and limits by resource name; only cpu, memory and huge pages.
    """
    asked, capped = read(resources.requests), read(resources.limits)
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


def _supported(amounts: NanoList) -> NanoList:
    return {name: nano for name, nano in amounts.items() if supported(name)}


def supported(name: str) -> bool:
    """Whether a resource can be set for a pod as a whole."""
    return name in {"cpu", "memory"} or name.startswith("hugepages-")
