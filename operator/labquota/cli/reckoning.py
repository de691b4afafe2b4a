"""How an answer is shown: the whole reckoning, from each container's demand to what would remain."""

from collections.abc import Iterator, Mapping
from typing import Any

from labquota.cli import output, pricelist
from labquota.cli.judging import Result
from labquota.quota import costs, demand, explain
from labquota.quota.amounts import Amounts
from labquota.quota.limits import Limit, shown
from labquota.quota.pods import Pod, Spec
from labquota.quota.points import together
from labquota.quota.quantities import QuantityError
from labquota.quota.resources import UNLIMITED, show


def view(result: Result) -> list[Any]:
    """Lines and tables for people."""
    from rich.text import Text  # noqa: PLC0415  programs' output needs none

    case, workload, limits = result.case, result.workload, result.case.limits
    many = f", {workload.count} pods" if workload.count != 1 else ""
    group = f"{limits.group or 'none'} ({result.group_why})"
    parts: list[Any] = [
        Text(f"{workload}{many}", style="bold"),
        f"Owner:  {case.owner} ({result.owner_steps[-1]})",
        *_steps(result.owner_steps),
        f"Group:  {group}" + (f", enforcement {limits.enforcement}" if limits.group else ""),
        "",
    ]
    asked = together(result.asked)
    keys = [key for key in asked if key != "pods"]
    rows = [
        [name, kind, *(show(key, amounts[key]) if key in amounts else "" for key in keys)]
        for name, kind, amounts in _containers(result)
    ]
    rows.append(["one pod", "", *(show(key, asked[key]) for key in keys)])
    parts += [
        output.table(("demand of", "kind", *keys), rows, numbers=keys),
        "",
        *pricelist.view(result.items),
    ]
    columns = (
        "resource",
        "asked",
        "used",
        "reserved",
        "limit",
        "remains",
        "set by",
        "per pod",
        "per pod set by",
    )
    numbers = ("asked", "used", "reserved", "limit", "remains", "per pod")
    budget = [[row[column] for column in columns] for row in map(_texts, _budget(result))]
    parts += [output.table(columns, budget, numbers=numbers), ""]
    return [*parts, *_answer(result)]


def _steps(steps: tuple[str, ...]) -> list[str]:
    """How the owner was found, where that took more than a look."""
    if len(steps) == 1:
        return []
    return [f"        {number}. {step}" for number, step in enumerate(steps, 1)]


def shape(result: Result) -> dict[str, Any]:
    """The same for programs; documented in docs/cli.md."""
    case, workload = result.case, result.workload
    return {
        "object": {"kind": workload.kind, "namespace": workload.namespace, "name": workload.name},
        "allowed": result.allowed,
        "pods": workload.count,
        "admitted": result.admitted,
        "owner": case.owner,
        "ownerWhy": result.owner_steps[-1],
        "ownerSteps": list(result.owner_steps),
        "group": case.limits.group,
        "groupWhy": result.group_why,
        "enforcement": case.limits.enforcement,
        "message": result.line or None,
        "causes": explain.fields(result.verdict.causes),
        "warnings": result.warnings,
        "demand": {
            "containers": [
                {"name": name, "kind": kind, "amounts": _shown(amounts)}
                for name, kind, amounts in _containers(result)
            ],
            "pod": _shown(together(result.asked)),
            "gpus": pricelist.shape(result.items),
        },
        "resources": {
            row["resource"]: {_camel(key): value for key, value in row.items() if key != "resource"}
            for row in _budget(result)
        },
    }


def _answer(result: Result) -> Iterator[Any]:
    from rich.text import Text  # noqa: PLC0415  as above

    count, admitted = result.workload.count, result.admitted
    if result.allowed:
        yield Text("Would pass." if count == 1 else f"All {count} pods would pass.", style="bold green")
    elif count == 1:
        yield Text("Would be refused:", style="bold red")
    else:
        yield Text(f"{admitted} of {count} pods would pass; the next would be refused:", style="bold red")
    if result.line:
        yield result.line
    for warning in result.warnings:
        yield Text(f"Warning: {warning}", style="yellow")
    if result.workload.stored:
        charged = demand.charged(result.workload.pod)
        yield (
            "(The pod exists: judged as if it were created now, its own charge left out.)"
            if charged
            else ("(The pod has finished and holds nothing: judged as if it were created now.)")
        )


def _budget(result: Result) -> Iterator[dict[str, str | None]]:
    """A row for each resource that is limited or asked for: what is asked, held and allowed."""
    asked, all_used, all_reserved = map(together, (result.asked, result.used, result.reserved))
    aggregate, each_pod = shown(result.case.limits.aggregate), shown(result.case.limits.per_pod)
    keys = {**aggregate, **each_pod, **asked}
    for key in sorted(keys, key=lambda key: (key not in aggregate, key)):
        limit, per_pod = aggregate.get(key), each_pod.get(key)
        used, reserved = all_used.get(key, 0), all_reserved.get(key, 0)
        remains = None
        if limit is not None and limit.amount is not None:
            remains = show(key, max(0, limit.amount - used - reserved))
        yield {
            "resource": key,
            "asked": show(key, asked.get(key, 0)),
            "used": show(key, used),
            "reserved": show(key, reserved),
            "limit": _amount(key, limit),
            "remains": remains,
            "set by": limit.source if limit else None,
            "per pod": _amount(key, per_pod),
            "per pod set by": per_pod.source if per_pod else None,
        }


def _containers(result: Result) -> Iterator[tuple[str, str, Amounts]]:
    """What each container asks for by itself, the pod's overhead, and its pod-level resources."""
    spec = result.workload.pod.spec
    parts = [(each.name, "container", Spec(containers=[each])) for each in spec.containers]
    for each in spec.init_containers:
        kind = "sidecar" if each.restart_policy == "Always" else "init"
        parts.append((each.name, kind, Spec(containers=[each])))
    if spec.overhead:
        parts.append(("(overhead)", "overhead", Spec(overhead=spec.overhead)))
    if spec.resources is not None:
        parts.append(("(whole pod)", "pod-level", Spec(resources=spec.resources)))
    for name, kind, part in parts:
        try:
            amounts = costs.at(demand.asked(Pod(spec=part)), result.placement, result.inventory)
        except QuantityError:
            amounts = {}  # the refusal names it
        yield name, kind, {key: amount for key, amount in together(amounts).items() if key != "pods"}


def _amount(key: str, limit: Limit | None) -> str | None:
    if limit is None:
        return None
    return UNLIMITED if limit.amount is None else show(key, limit.amount)


def _shown(amounts: Mapping[str, int]) -> dict[str, str]:
    return {key: show(key, amount) for key, amount in sorted(amounts.items())}


def _texts(row: dict[str, str | None]) -> dict[str, str]:
    return {key: value or "" for key, value in row.items()}


def _camel(words: str) -> str:
    first, *rest = words.split()
    return first + "".join(word.title() for word in rest)
