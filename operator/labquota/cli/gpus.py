"""`labquota gpus`: the GPUs of the cluster, the slices that they are cut into, and who holds which."""

from typing import Final

import click
import msgspec

from labquota.api import API_VERSION, GROUP, GPUNode
from labquota.cli import cards, drawing, flags, output
from labquota.cli.cluster import Cluster
from labquota.cli.devices import Allocation, Node
from labquota.cli.failures import BadInput, Forbidden, NoAnswer
from labquota.cli.flags import Target
from labquota.kube.errors import NotFound

_ROOT: Final = f"/apis/{API_VERSION}"
_FORMS: Final = ("table", "wide", "name", "json", "yaml")


class _Nodes(msgspec.Struct):
    items: list[GPUNode]


class _Allocations(msgspec.Struct):
    items: list[Allocation]


@click.command("gpus")
@click.option("--node", multiple=True, metavar="NAME", help="Only this node; may be given several times.")
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(_FORMS),
    default="table",
    help="table for people, wide with ids; name; json or yaml for programs, in a stable shape (docs/cli.md).",
)
@flags.options
def command(node: tuple[str, ...], *, form: str, target: Target) -> None:
    """Show the GPUs of the cluster, the slices that they are cut into, who holds which, and what is wrong.

    Each line is a device. AT is its GPU instance and compute instance; SLOTS shows which eighths of the GPU's
    memory it lies on, filled where it is held.

    \b
    Examples:
      labquota gpus                      all nodes
      labquota gpus --node gpu-7 -o wide one node, with UUIDs and resource names
      labquota gpus -o json | jq '.nodes[].devices[] | select(.problems != [])'

    \b
    Exit codes:
      0  answered
      2  bad input
      3  the cluster does not answer, does not permit it, or has no labquota
    """  # noqa: D301  # \b is click's mark
    found = _read(Cluster(target), node)
    if missing := sorted(set(node) - {each.name for each in found}):
        raise BadInput(f"no GPUNode is called {', '.join(missing)}: see kubectl get gpunodes")
    if form in ("json", "yaml"):
        output.data(form, {"nodes": [_shape(each) for each in found]})
    elif form == "name":
        for each in found:
            click.echo(f"gpunode.{GROUP}/{each.name}")
    elif found:
        output.show(*drawing.view(found, wide=form == "wide"))
    else:
        click.echo("no GPU node is known: no agent has reported one")


def _read(reached: Cluster, names: tuple[str, ...]) -> list[Node]:
    try:
        published = msgspec.json.decode(reached.get(f"{_ROOT}/gpunodes"), type=_Nodes).items
    except NotFound:
        raise NoAnswer(
            "this cluster has no labquota that knows GPUs: it has no gpunodes.labquota.dev"
        ) from None
    allocations: list[Allocation] = []
    try:
        allocations = msgspec.json.decode(reached.get(f"{_ROOT}/gpuallocations"), type=_Allocations).items
    except NotFound:
        pass  # an older labquota
    except Forbidden as error:
        output.note(f"owners are not shown: {error.message}")
    return cards.nodes(published, allocations, names)


def _shape(node: Node) -> dict[str, object]:
    """For programs; documented in docs/cli.md."""
    plain: dict[str, object] = msgspec.to_builtins(node)
    return {("devices" if key == "cards" else key): value for key, value in plain.items()}
