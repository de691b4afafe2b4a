"""How a budget is shown: used, reserved and free parts of each limit, and the pods that hold most."""

from typing import Any, Final

import msgspec

from labquota.api import OwnerUsageStatus
from labquota.cli import output
from labquota.quota.owners import Owner
from labquota.quota.quantities import QuantityError
from labquota.quota.resources import parse_limit, show
from labquota.quota.verdict import NEARLY

_WIDTH: Final = 24
_UNICODE: Final = ("█", "▒", "·")
_ASCII: Final = ("#", "=", ".")


def view(owner: Owner, status: OwnerUsageStatus) -> Any:
    """A table for people, with a bar for each limit and the pods that hold most."""
    from rich.console import Group  # noqa: PLC0415  programs' output needs none
    from rich.text import Text  # noqa: PLC0415  as above

    head = f"{owner}   group {status.group or 'none'}"
    if status.group and status.enforcement != "Enforce":
        head += f"   enforcement {status.enforcement}"
    parts: list[Any] = [Text(head, style="bold")]
    keys = sorted(
        {*status.limits, *status.used, *status.reserved}, key=lambda key: (key not in status.limits, key)
    )
    if rows := [_row(key, status) for key in keys]:
        columns = ("resource", "used", "reserved", "limit", "", "state", "set by")
        parts += ["", output.table(columns, rows, numbers=("used", "reserved", "limit"))]
    else:
        parts.append("holds nothing")
    if status.pods:
        pods = [
            [f"{pod.namespace}/{pod.name}", ", ".join(f"{key} {text}" for key, text in pod.uses.items())]
            for pod in status.pods
        ]
        parts += ["", output.table(("pod", "holds"), pods)]
    parts += [
        Text(f"\n{each.type}: {each.message}", style="yellow")
        for each in status.conditions
        if each.status == "True"
    ]
    return Group(*parts)


def _row(key: str, status: OwnerUsageStatus) -> list[Any]:
    from rich.text import Text  # noqa: PLC0415  as in view

    limit = status.limits.get(key)
    used, reserved = _amount(key, status.used.get(key)) or 0, _amount(key, status.reserved.get(key)) or 0
    most = _amount(key, limit.limit) if limit else None
    source = limit.source if limit else ""
    cells = [key, show(key, used), show(key, reserved) if reserved else "", limit.limit if limit else "-"]
    if most is None:
        return [*cells, "", "", source]
    total = used + reserved
    state = "OVER" if total > most else "full" if total == most and total else ""
    style = "red" if total > most else "yellow" if total * 100 >= most * NEARLY else "green"
    return [*cells, Text(_bar(used, reserved, most), style=style), Text(state, style=style), source]


def _amount(key: str, text: str | None) -> int | None:
    """An amount in base units; None where there is none, or none that can be read."""
    try:
        return None if text is None else parse_limit(key, text)
    except QuantityError:
        return None


def _bar(used: int, reserved: int, most: int) -> str:
    """Used, reserved and free parts of a limit; whatever is there is at least one step long."""
    full, waiting, free = _UNICODE if "utf" in output.console().encoding.lower() else _ASCII
    whole = max(most, used + reserved, 1)
    first = min(_WIDTH, max(used * _WIDTH // whole, 1 if used else 0))
    second = min(_WIDTH - first, max((used + reserved) * _WIDTH // whole - first, 1 if reserved else 0))
    return full * first + waiting * second + free * (_WIDTH - first - second)


def shape(owner: Owner, status: OwnerUsageStatus) -> dict[str, Any]:
    """The same for programs; documented in docs/cli.md."""
    keys = sorted({*status.limits, *status.used, *status.reserved})
    return {
        "owner": owner,
        "group": status.group or None,
        "enforcement": status.enforcement,
        "resources": {
            key: {
                "used": status.used.get(key, "0"),
                "reserved": status.reserved.get(key, "0"),
                "limit": status.limits[key].limit if key in status.limits else None,
                "source": status.limits[key].source if key in status.limits else None,
                "overLimit": key in status.over_limit,
            }
            for key in keys
        },
        "overLimit": list(status.over_limit),
        "pods": msgspec.to_builtins(status.pods),
        "conditions": msgspec.to_builtins(status.conditions),
    }
