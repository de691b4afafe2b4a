"""labquota on a real control plane: installed as an administrator would, used as people would.

with ControlPlane(nodes=2) as plane, Installation(plane) as installed:
    plane.client.apply([manifests.group("student", aggregate={"gpu": 3}, default_for=["User"])])
    installed.webhook(0).kill()
"""

from harness import manifests
from harness.clients import Answer, AsyncClient
from harness.installation import Installation
from harness.owners import CONTROLLER, HUB, OWNERS, SOURCE
from harness.world import World

__all__ = [
    "AUDIT_SECONDS",
    "CONTROLLER",
    "CREATE_SECONDS",
    "HUB",
    "OWNERS",
    "SOURCE",
    "Answer",
    "AsyncClient",
    "Installation",
    "World",
    "manifests",
]

CREATE_SECONDS = 8
"""How long a reservation is kept for a pod that is never seen (44 in a real cluster): tests wait for it."""

AUDIT_SECONDS = 20
"""How long a round of the audit takes (an hour in a real cluster)."""
