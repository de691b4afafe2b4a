"""What a single YAML node says, by YAML 1.1's rules, as the older system's parser reads them."""

import re
from typing import Final

from yaml.nodes import MappingNode, Node, SequenceNode

_NULL: Final = "tag:yaml.org,2002:null"
_BOOL: Final = "tag:yaml.org,2002:bool"
_NUMBERS: Final = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_PLAIN_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_FLAGS: Final = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def is_null(node: Node) -> bool:
    """Whether a value is null or empty, as a section with nothing but comments is."""
    return bool(node.tag == _NULL)


def flag(node: Node) -> bool | None:
    """A boolean's value; None where the value is none."""
    return _FLAGS.get(node.value.lower()) if node.tag == _BOOL else None


def kind(node: Node) -> str:
    """What a node is, in a reader's words."""
    if isinstance(node, MappingNode):
        return "a map"
    return "a list" if isinstance(node, SequenceNode) else f'the single value "{node.value[:40]}"'


def scalar(node: Node) -> str | int | float | bool | None:
    """A single value as JSON would have it; dates and other tags stay texts."""
    if is_null(node):
        return None
    if node.tag == _BOOL:
        return flag(node)
    text: str = node.value
    if node.tag in _NUMBERS and _PLAIN_NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text
