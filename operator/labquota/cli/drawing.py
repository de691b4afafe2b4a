"""How GPUs are drawn: a table for each node, with a picture of the memory slots that a slice lies on.

    GPU   MODEL                   DEVICE    AT    SLOTS      STATE   OWNER        HELD BY
    0     NVIDIA A100-SXM4-40GB   3g.20gb   1/0   ████····   held    user:alice   vision/train
                                  2g.10gb   3/0   ····▒▒··   free
    1     NVIDIA A100-SXM4-40GB   whole           ████████   held    user:bob     speech/asr

Whatever colour says, a word says too.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from labquota.cli import output
from labquota.cli.devices import SLOTS, Card, Node

_UNICODE: Final = ("█", "▒", "·")
_ASCII: Final = ("#", "=", ".")
_COLUMNS: Final = ("gpu", "model", "device", "at", "slots", "state", "owner", "held by", "problem")
_WIDE: Final = ("memory", "resource", "uuid")


def view(nodes: Sequence[Node], *, wide: bool) -> list[Any]:
    """The nodes, one after the other."""
    parts: list[Any] = []
    for each in nodes:
        parts += ["", *_node(each, wide=wide)] if parts else _node(each, wide=wide)
    return parts


def _node(node: Node, *, wide: bool) -> list[Any]:
    from rich.text import Text  # noqa: PLC0415  programs' output needs none

    devices = [card for card in node.cards if card.is_device]
    held = sum(bool(card.holders) for card in devices)
    head = f"{node.name}   {held} of {len(devices)} devices held"
    if node.driver:
        head += f"   driver {node.driver}"
    parts: list[Any] = [Text(head, style="bold")]
    if node.cards:
        columns = (*_COLUMNS, *_WIDE) if wide else _COLUMNS
        rows = [
            row
            for number, card in enumerate(node.cards)
            for row in _rows(node.cards, number, card, wide=wide)
        ]
        parts.append(output.table(columns, rows, numbers=("memory",)))
    else:
        parts.append("no GPU is known")
    parts += [Text(each, style="yellow") for each in node.problems]
    return parts


def _rows(cards: Sequence[Card], number: int, card: Card, *, wide: bool) -> Iterator[list[Any]]:
    """One line for a device, and one more for each of its holders after the first, and for each problem."""
    from rich.text import Text  # noqa: PLC0415  as above

    first = number == 0 or cards[number - 1].gpu != card.gpu
    state, style = _state(card)
    lines = max(len(card.holders), len(card.problems), 1)
    for line in range(lines):
        holder = card.holders[line] if line < len(card.holders) else None
        problem = card.problems[line] if line < len(card.problems) else ""
        lead = not line
        row = [
            str(card.index) if lead and first else "",
            card.model if lead and first else "",
            (card.profile or ("whole" if card.is_device else "cut")) if lead else "",
            f"{card.gpu_instance}/{card.compute_instance}" if lead and card.profile else "",
            Text(_picture(card), style=style) if lead else "",
            Text(state, style=style) if lead else "",
            "" if holder is None else holder.owner or "unknown",
            "" if holder is None else holder.text,
            Text(problem, style="red"),
        ]
        extra = [f"{card.memory} MiB", card.resource, card.uuid] if lead else ["", "", ""]
        yield [*row, *extra] if wide else row


def _state(card: Card) -> tuple[str, str]:
    if card.health != "Healthy":
        return card.health.lower(), "red"
    if not card.is_device:
        return "", "none"
    if card.replicas > 1:
        return f"{len(card.holders)} of {card.replicas} held", "green" if card.holders else "cyan"
    return ("held", "green") if card.holders else ("free", "cyan")


def _picture(card: Card) -> str:
    held, free, none = _UNICODE if "utf" in output.console().encoding.lower() else _ASCII
    if card.start < 0 or not card.is_device:
        return ""
    end = min(SLOTS, card.start + max(card.size, 1))
    return none * card.start + (held if card.holders else free) * (end - card.start) + none * (SLOTS - end)
