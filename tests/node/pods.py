"""Pods for the real node, of its one image: each call shows only what matters to it."""

from collections.abc import Sequence
from typing import Any

from harness import manifests
from harness.manifests import Manifest
from node import image

__all__ = ["container", "pod"]


def container(name: str = "main", args: Sequence[str] = ("wait",), **resources: Any) -> Manifest:
    """A container that does what `args` say: `wait`, `exit CODE` or `last SECONDS`; else as `manifests.container`."""
    return manifests.container(name, image=image.NAME, imagePullPolicy="Never", args=list(args), **resources)


def pod(
    name: str,
    namespace: str,
    *,
    args: Sequence[str] = ("wait",),
    grace: int = 5,
    containers: Sequence[Manifest] | None = None,
    spec: dict[str, Any] | None = None,
    **resources: Any,
) -> Manifest:
    """A pod with one container, or with `containers`.

    Args:
        name: its name.
        namespace: where it goes.
        args: what its container does.
        grace: seconds that its containers get to end.
        containers: all its containers instead of the one.
        spec: more fields of the spec.
        resources: what the one container asks for, as in `manifests.container`.
    """
    body = {"terminationGracePeriodSeconds": grace, **(spec or {})}
    return manifests.pod(
        name, namespace, containers=containers or [container(args=args, **resources)], spec=body
    )
