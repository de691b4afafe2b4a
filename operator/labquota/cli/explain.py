"""`labquota explain`: would it pass, why or why not, for whom, with the whole reckoning."""

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from labquota import gpusettings, ownership
from labquota.cli import flags, gathering, identity, limitranges, output, reckoning, stock, workloads
from labquota.cli.cluster import Cluster, segment
from labquota.cli.failures import NO, BadInput
from labquota.cli.flags import Target
from labquota.cli.judging import Judge
from labquota.cli.workloads import Workload
from labquota.kube.errors import NotFound
from labquota.quota import demand, gleaning, pods
from labquota.quota.amounts import Amounts
from labquota.quota.points import EQUIVALENTS, LEDGERS
from labquota.quota.quantities import QuantityError
from labquota.quota.resources import UnknownResource, canonical, parse_limit


@click.command("explain")
@click.argument("pod", required=False)
@click.option("-f", "--filename", metavar="FILE", help="Manifests (YAML or JSON); - reads standard input.")
@click.option("-n", "--namespace", metavar="NAME", help="Namespace; default: the context's.")
@click.option("--as-owner", metavar="OWNER", help="Judge as this owner's pods, whoever makes them.")
@click.option(
    "--config",
    metavar="DIR",
    type=click.Path(exists=True, path_type=Path),
    help="Take the limits from files, without a cluster; the owner then holds nothing but --used.",
)
@click.option("--used", multiple=True, metavar="KEY=AMOUNT", help="Count this as held already, as in gpu=2.")
@click.option(
    "--owners",
    default="",
    metavar="FILE",
    envvar="LABQUOTA_OWNERS",
    help="The owners' settings of the cluster, if it has any: whose stamps on custom resources count.",
)
@click.option(
    "--gpus",
    default="",
    metavar="FILE",
    envvar="LABQUOTA_GPUS",
    help="The GPU settings of the cluster, if it has any: the administrator's prices.",
)
@output.option
@flags.options
def command(
    pod: str | None,
    *,
    filename: str | None,
    namespace: str | None,
    as_owner: str | None,
    config: Path | None,
    used: tuple[str, ...],
    owners: str,
    gpus: str,
    output: str,
    target: Target,
) -> None:
    """Say whether pods would pass, why or why not, for whom, with the whole reckoning.

    With -f: the Pods of a file, and the pods that its Deployments, Jobs and so on would get, in order, each counted
    for those after it. With POD: that pod of the cluster, as if it were created now. The decision is the webhook's
    own; nothing is written.

    \b
    Examples:
      labquota explain -f pod.yaml                        would it pass, for me?
      labquota explain train-0 -n vision                  a pod that exists
      kustomize build . | labquota explain -f -           everything in it, in order
      labquota explain -f pod.yaml --as-owner user:bob    for somebody else
      labquota explain -f pod.yaml --config config --as alice --used gpu=2
                                                          without a cluster

    \b
    Exit codes:
      0  all would pass
      1  some pod would be refused
      2  bad input
      3  the cluster does not answer, does not permit it, or has no labquota
    """  # noqa: D301  # \b is click's mark
    if (pod is None) == (filename is None):
        raise BadInput("say what to explain: a POD, or a file with -f (and not both)")
    if pod is not None and config is not None:
        raise BadInput("--config answers without a cluster, so there is no POD to look at: use -f FILE")
    owner = identity.owner_named(as_owner) if as_owner is not None else None
    held = _used(used)
    reached = None if config else Cluster(target)
    place = namespace or (reached.namespace if reached else "default")
    if pod is not None and reached is not None:
        found = [_stored(reached, place, pod)]
    else:
        found = _read(filename or "-", place, given=namespace is not None)
    try:
        trust, prices = ownership.load(owners), gpusettings.load(gpus)
    except (ownership.OwnershipError, gpusettings.GPUSettingsError) as error:
        raise BadInput(str(error)) from error
    known = gathering.from_cluster(reached, trust) if reached else gathering.from_files(config or Path())
    known.world.gpu_settings = prices
    if reached and any(demand.mentions(each.pod, prices.is_gpu_like) for each in found):
        known.world.inventory = stock.take(reached, prices)
    me = identity.of_cluster(reached) if reached else identity.of_target(target)
    if reached:
        limitranges.apply(reached, found)
    judge = Judge(known, me, owner, held)
    _print([judge.judge(workload) for workload in found], output)


def _print(results: list[Any], form: str) -> None:
    allowed = all(result.allowed for result in results)
    if form == "table":
        for number, result in enumerate(results):
            output.show(*([""] if number else []), *reckoning.view(result))
    else:
        output.data(form, {"allowed": allowed, "results": [reckoning.shape(result) for result in results]})
    if not allowed:
        raise SystemExit(NO)


def _read(filename: str, namespace: str, *, given: bool) -> list[Workload]:
    if filename == "-":
        return workloads.read(sys.stdin, "standard input", namespace, given=given)
    try:
        with Path(filename).open(encoding="utf-8") as file:
            return workloads.read(file, filename, namespace, given=given)
    except OSError as error:
        raise BadInput(f"cannot read {filename}: {error.strerror}") from error


def _stored(reached: Cluster, namespace: str, name: str) -> Workload:
    name = name.removeprefix("pod/").removeprefix("pods/")
    try:
        body = reached.get(f"/api/v1/namespaces/{segment(namespace)}/pods/{segment(name)}")
        access = gleaning.convert(msgspec.json.decode(body))
        return Workload("Pod", name, namespace, pods.decode(body), stored=True, access=access)
    except NotFound:
        raise BadInput(f"there is no pod {name} in namespace {namespace}") from None
    except msgspec.DecodeError as error:
        raise BadInput(f"pod {namespace}/{name} cannot be read: {error}") from error


def _used(words: tuple[str, ...]) -> Amounts:
    amounts: Amounts = {}
    for word in words:
        key, equals, text = word.partition("=")
        try:
            if not equals:
                raise QuantityError("it has no =")
            known = canonical(key)
            for each in LEDGERS if known == EQUIVALENTS else (known,):
                amounts[each] = parse_limit(known, text) or 0
        except (QuantityError, UnknownResource) as error:
            raise BadInput(f'--used "{word}": {error}; write KEY=AMOUNT, as in gpu=2') from error
    return amounts
