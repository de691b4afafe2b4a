"""A pod as Kubernetes' protobuf, by hand: unlike JSON it carries any bytes as a text."""

from collections.abc import Mapping

__all__ = ["CONTENT_TYPE", "pod"]

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"


def pod(name: str, namespace: str, *, cpu: str, annotations: Mapping[bytes, bytes]) -> bytes:
    """A pod of one container. The numbers of fields are those of k8s.io/api/core/v1/generated.proto."""
    metadata = _field(1, name.encode()) + _field(3, namespace.encode())
    metadata += b"".join(_field(12, _field(1, key) + _field(2, value)) for key, value in annotations.items())
    amount = _field(1, b"cpu") + _field(2, _field(1, cpu.encode()))
    resources = _field(1, amount) + _field(2, amount)
    container = _field(1, b"main") + _field(2, b"none") + _field(8, resources)
    spec = _field(2, container) + _field(19, b"nobody")
    kind = _field(1, b"v1") + _field(2, b"Pod")
    return b"k8s\x00" + _field(1, kind) + _field(2, _field(1, metadata) + _field(2, spec))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
