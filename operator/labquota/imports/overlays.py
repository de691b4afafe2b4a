"""Several layers laid over one another, and what labquota writes for the result.

defaults   ──┐
groups.X   ──┼─► overlay(): the later wins, key by key ──► effective(): one setting for each field
a user's   ──┘
"""

from collections.abc import Iterable
from decimal import Decimal

from labquota.imports import keys
from labquota.imports.findings import Findings, Where
from labquota.imports.layers import Layer, Setting
from labquota.imports.values import Amount


def overlay(layers: Iterable[Layer]) -> Layer:
    """Several layers as one; the later wins, key by key, inside `aggregate` too."""
    settings: dict[str, Setting] = {}
    has_aggregate = False
    for layer in layers:
        settings.update(layer.settings)
        has_aggregate |= layer.has_aggregate
    return Layer(settings, has_aggregate)


def effective(layer: Layer, unit: keys.Unit) -> dict[str, Setting]:
    """What labquota writes for a whole layer, by field (`keys.ORDER`).

    `aggregate.gpu_limit` and the person's other cap are totals of the same thing, enforced side by side by the
    older system; so the smaller one holds.
    """
    fields = {keys.TARGETS[key]: value for key, value in layer.settings.items() if key in keys.TARGETS}
    totals = [layer.settings[key] for key in (keys.GPU_LIMIT, keys.GPU_CAP) if key in layer.settings]
    if totals:
        fields[unit.target] = min(totals, key=_size)
    fields.setdefault("allowWholeGPU", Setting(Amount(Decimal(0), shown=False), Where("")))
    return {field: fields[field] for field in keys.ORDER if field in fields}


def warn_of_totals(whose: str, layer: Layer, findings: Findings, of: Layer | None = None) -> None:
    """Warn where both totals of a person's GPUs are set and differ; `of`: only if this layer sets one of them."""
    both = [layer.settings[key] for key in (keys.GPU_LIMIT, keys.GPU_CAP) if key in layer.settings]
    smaller, larger = min(both, key=_size, default=None), max(both, key=_size, default=None)
    if smaller is None or larger is None or _size(smaller) == _size(larger):
        return
    if of is not None and smaller not in of.settings.values() and larger not in of.settings.values():
        return
    findings.warn(
        larger.where,
        f"{whose}: {larger.value.shown} here and {smaller.value.shown} in {smaller.where} are both a total "
        f"per person; the smaller, {smaller.value.shown}, is imported",
    )


def _size(setting: Setting) -> Decimal:
    return Decimal("Infinity") if setting.value.size is None else setting.value.size
