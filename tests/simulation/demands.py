"""What a pod holds, reckoned by the checker's own simple rules: simulated pods ask for whole GPUs and whole cores.

It must not share code with what it checks.
"""

from typing import Final

from simulation.store import Body

Amounts = dict[str, int]
KEYS: Final = (("nvidia.com/gpu", "gpu", 1), ("cpu", "requests.cpu", 1000), ("cpu", "limits.cpu", 1000))
"""A resource, a key that it counts in, and how many base units one of it is; what is requested is the limit, too."""
FINISHED: Final = frozenset({"Succeeded", "Failed"})


def asked(body: Body) -> Amounts:
    """What a pod's spec asks for."""
    return _sum(body["spec"]["containers"][0]["resources"]["requests"])


def held(body: Body) -> Amounts:
    """What a stored pod holds: the most of what is asked, allocated and actuated; nothing once it has finished."""
    status = body["status"]
    if status.get("phase") in FINISHED:
        return {}
    amounts = asked(body)
    for container in status.get("containerStatuses", ()):
        for part in (
            container.get("allocatedResources", {}),
            container.get("resources", {}).get("requests", {}),
        ):
            for key, amount in _sum(part).items():
                amounts[key] = max(amount, amounts.get(key, 0))
    return amounts


def _sum(requests: dict[str, str]) -> Amounts:
    amounts = {"pods": 1}
    for name, key, unit in KEYS:
        if name in requests and int(requests[name]):
            amounts[key] = int(requests[name]) * unit
    return amounts
