"""The API servers' audit log: who wrote what, and which webhook was passed by when it did not answer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["events", "write_policy"]


def write_policy(path: Path, bodies: Sequence[str] = ()) -> None:
    """Write a policy that records every finished write; reads are left out.

    Args:
        path: where it is written.
        bodies: resources of the core group (`pods`, `pods/resize`) whose creates and updates are kept with their
            bodies.
    """
    whole = {
        "level": "RequestResponse",
        "verbs": ["create", "update", "patch"],
        "resources": [{"group": "", "resources": list(bodies)}],
        "omitManagedFields": True,
    }
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [
            *([whole] if bodies else []),
            {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
            {"level": "None"},
        ],
    }
    path.write_text(json.dumps(policy))


def events(logs: Path) -> list[dict[str, Any]]:
    """All events in the audit logs of a folder; a line still being written is left out."""
    found = []
    for log in sorted(logs.glob("audit-*.log")):
        lines = log.read_bytes().split(b"\n")
        found += [json.loads(line) for line in lines[:-1]]
    return found
