"""The messages of PodResources v1 by protobuf's own runtime: our words, the public API's field numbers."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["AllocatableReply", "ListReply"]

_TEXT, _NUMBER, _MESSAGE = 9, 3, 11
_ONE, _MANY = 1, 3
_PACKAGE = "v1"

# message: field, number, type (a message's name, or text or number), whether there may be several
_MESSAGES: dict[str, tuple[tuple[str, int, str, bool], ...]] = {
    "ListReply": (("pods", 1, "Pod", True),),
    "AllocatableReply": (
        ("devices", 1, "Devices", True),
        ("cpus", 2, "number", True),
        ("memory", 3, "Memory", True),
    ),
    "Pod": (
        ("name", 1, "text", False),
        ("namespace", 2, "text", False),
        ("containers", 3, "Container", True),
    ),
    "Container": (
        ("name", 1, "text", False),
        ("devices", 2, "Devices", True),
        ("cpus", 3, "number", True),
        ("memory", 4, "Memory", True),
    ),
    "Devices": (("resource", 1, "text", False), ("ids", 2, "text", True), ("topology", 3, "Topology", False)),
    "Topology": (("nodes", 1, "NumaNode", True),),
    "NumaNode": (("id", 1, "number", False),),
    "Memory": (("kind", 1, "text", False), ("size", 2, "number", False), ("topology", 3, "Topology", False)),
}


def _describe() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="podresources.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, several in fields:
            made = message.field.add(name=field, number=number, label=_MANY if several else _ONE)
            made.type = {"text": _TEXT, "number": _NUMBER}.get(kind, _MESSAGE)
            if made.type == _MESSAGE:
                made.type_name = f".{_PACKAGE}.{kind}"
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_describe())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


ListReply = _class("ListReply")
AllocatableReply = _class("AllocatableReply")
