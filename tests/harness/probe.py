"""Waiting until an installation is in force on every API server: it acts a moment after it is applied.

A pod is created as a dry run, again and again, until the API server says in its metrics that it called the webhooks,
and the pod comes back with an owner's stamp.
"""

import re

from controlplane import Client, ControlPlane, ControlPlaneError
from controlplane.process import wait_until
from harness import manifests

__all__ = ["calls", "failed_open", "wait"]

PROBE = "labquota-probe"
STAMP = "labquota.dev/owner"


def wait(plane: ControlPlane, webhooks: list[str], seconds: float = 30, *, refused: bool = True) -> None:
    """Wait until every API server stamps pods and calls the webhooks with these names.

    Args:
        plane: whose API servers.
        webhooks: names as in the registration.
        seconds: how long to wait for each API server.
        refused: wait also until a pod over a limit is refused: until then a webhook that has not heard from the
            operator lets it pass.

    Raises:
        ControlPlaneError: one of them does not in time.
    """
    prober = plane.user(PROBE, role="edit")
    nothing = manifests.group(PROBE, subjects=[f"user:{PROBE}"], aggregate={"pods": 0})
    if refused:
        plane.client.apply([nothing])
    for number in range(len(plane.servers)):
        admin, client = plane.admin.client(number), prober.client(number)
        before = {name: calls(admin, name) for name in webhooks}
        problems = ["nothing was tried"]

        def in_force() -> bool:
            problems[:] = _problems(admin, client, before, refused=refused)  # noqa: B023  called in this turn alone
            return not problems  # noqa: B023  likewise

        if not wait_until(in_force, seconds, every=0.1):
            raise ControlPlaneError(f"API server {number} after {seconds:.0f} s: {'; '.join(problems)}")
    if refused:
        plane.client.delete(plane.client.path_of(nothing))


def calls(admin: Client, webhook: str) -> int:
    """How many calls of a webhook an API server counts."""
    return _count(admin, "apiserver_admission_webhook_request_total", webhook)


def failed_open(admin: Client, webhook: str) -> int:
    """How many requests an API server let pass because a webhook gave no answer."""
    return _count(admin, "apiserver_admission_webhook_fail_open_count", webhook)


def _problems(admin: Client, client: Client, before: dict[str, int], *, refused: bool) -> list[str]:
    pod = manifests.pod("labquota-probe-", generate_name=True)
    status, answer = client.call("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod)
    problems = [f"{name} is not called" for name, old in before.items() if calls(admin, name) == old]
    if status < 400:
        if STAMP not in (answer["metadata"].get("annotations") or {}):
            problems.append(f"a pod is not stamped with {STAMP}")
        if refused:
            problems.append("a pod over its owner's limit is not refused")
    elif "QUOTA_EXCEEDED" not in answer["message"]:
        problems.append(f"a pod is refused otherwise: {status} {answer['message']}")
    elif f"user:{PROBE}" not in answer["message"]:
        problems.append(f"a refusal does not name the stamped owner: {answer['message']}")
    return problems


def _count(admin: Client, metric: str, webhook: str) -> int:
    text: str = admin.get("/metrics")
    lines = re.findall(rf'^{metric}{{[^}}]*name="{re.escape(webhook)}"[^}}]*}} (\S+)$', text, re.MULTILINE)
    return int(sum(float(each) for each in lines))
