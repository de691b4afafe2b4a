"""The audit logs of the API servers, as far as they tell what became of requests for pods.

There is a line for every request that an API server has answered, or given up. Of those that it was killed over there
is none: what they may have stored is seen in the watch alone.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from storm.checker import LEAST
from storm.history import Request
from storm.population import LEAST as FLOOR

__all__ = ["AuditLogs", "read"]

FAILED_OPEN = "failed-open.validating.webhook.admission.k8s.io/"
UNCHECKED = "pods.labquota.dev/unchecked"


class _Ref(msgspec.Struct, rename="camel"):
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    api_group: str = ""


class _Status(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    uid: str = ""
    resource_version: str = ""


class _Object(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


class _Event(msgspec.Struct, rename="camel"):
    verb: str = ""
    request_uri: str = msgspec.field(default="", name="requestURI")
    object_ref: _Ref = msgspec.field(default_factory=_Ref)
    response_status: _Status = msgspec.field(default_factory=_Status)
    annotations: dict[str, str] = {}
    request_object: Any = None
    response_object: _Object = msgspec.field(default_factory=_Object)


_DECODER = msgspec.json.Decoder(_Event)


def read(line: bytes) -> Request | None:
    """What one line of an audit log says of a request for a pod; None where it is of something else."""
    event = _DECODER.decode(line)
    of, answer = event.object_ref, event.response_object.metadata
    if of.api_group or of.resource != "pods":
        return None
    verb = {
        ("create", ""): "create",
        ("patch", "resize"): "resize",
        ("delete", ""): "delete",
    }.get((event.verb, of.subresource))
    if verb is None:
        return None
    if verb == "resize" and _is_least(event.request_object):
        verb = LEAST
    code = event.response_status.code
    return Request(
        verb=verb,
        place=f"{of.namespace}/{of.name or answer.name}",
        code=code,
        uid=answer.uid if code < 300 else "",
        version=int(answer.resource_version or 0) if code < 300 else 0,
        unjudged=_unjudged(event.annotations),
        dry_run="dryRun=All" in event.request_uri,
        message=event.response_status.message,
    )


def _unjudged(annotations: Mapping[str, str]) -> str:
    for key, value in annotations.items():
        if key.startswith(FAILED_OPEN):
            return f"{value} gave no answer"
        if key == UNCHECKED:
            return value
    return ""


def _is_least(patch: object) -> bool:
    """Whether a resize asks for no more than any pod of a storm has."""
    try:
        containers = patch["spec"]["containers"]  # type: ignore[index]  # of whatever shape
        return bool(containers) and all(each["resources"]["requests"] == FLOOR for each in containers)
    except (KeyError, TypeError):
        return False


class AuditLogs:
    """What the audit logs in a folder say from now on.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # By file and not by name: an API server gives its log another name at 100 MB, and begins a new one.
        self._read = {log.stat().st_ino: log.stat().st_size for log in self._logs()}

    def requests(self, namespaces: tuple[str, ...]) -> Iterator[Request]:
        """Every request for pods in these namespaces since the last call."""
        for log in self._logs():
            with log.open("rb") as lines:
                file = os.fstat(lines.fileno()).st_ino
                lines.seek(self._read.get(file, 0))
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    self._read[file] = self._read.get(file, 0) + len(line)
                    found = self._parsed(line)
                    if found is not None and found.place.partition("/")[0] in namespaces:
                        yield found

    def _parsed(self, line: bytes) -> Request | None:
        try:
            return read(line)
        except msgspec.DecodeError:  # an API server that was killed in mid-line goes on behind it
            at = line.find(b'{"kind":"Event"', 1)
            return self._parsed(line[at:]) if at > 0 else None

    def _logs(self) -> list[Path]:
        return sorted(self._folder.glob("audit-*.log"))
