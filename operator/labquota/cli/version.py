"""`labquota version`: of this program, and of what the cluster serves."""

from typing import Any, Final

import click
import msgspec

from labquota import __version__
from labquota.api import API_VERSION, GROUP
from labquota.cli import flags, output
from labquota.cli.cluster import Cluster
from labquota.cli.failures import NoAnswer
from labquota.cli.flags import Target
from labquota.kube.errors import NotFound

_PATIENCE: Final = 5.0
"""Seconds to wait for a cluster that may not be there: the program's own version is known at once."""


class _Version(msgspec.Struct, rename="camel"):
    group_version: str = ""


class _Group(msgspec.Struct):
    versions: list[_Version] = []


@click.command("version")
@click.option("--client", is_flag=True, help="Only of this program; no cluster is asked.")
@output.option
@flags.options
def command(*, client: bool, output: str, target: Target) -> None:
    """Print the version of labquota, and which API versions of it the cluster serves.

    \b
    Examples:
      labquota version            of this program and of the cluster
      labquota version --client   of this program
      labquota version -o json    for a program

    \b
    Exit codes:
      0  printed; a cluster that does not answer is said to be unknown, with the reason
      2  bad input
    """  # noqa: D301  # \b is click's mark
    found: dict[str, Any] = {"client": {"version": __version__, "apiVersion": API_VERSION}}
    if not client:
        found["cluster"] = _served(target)
    if output != "table":
        _data(output, found)
        return
    click.echo(f"labquota {__version__} ({API_VERSION})")
    if not client:
        served = found["cluster"]
        click.echo(f"cluster: {', '.join(served['apiVersions']) or served['problem']}")


def _data(form: str, found: dict[str, Any]) -> None:
    output.data(form, found)


def _served(target: Target) -> dict[str, Any]:
    patience = _PATIENCE if target.seconds is None else min(target.seconds, _PATIENCE)
    try:
        body = Cluster(msgspec.structs.replace(target, seconds=patience)).get(f"/apis/{GROUP}")
    except NotFound:
        return {"apiVersions": [], "problem": "has no labquota"}
    except NoAnswer as error:
        return {"apiVersions": [], "problem": f"unknown: {error.message}"}
    versions = msgspec.json.decode(body, type=_Group).versions
    return {"apiVersions": [each.group_version for each in versions], "problem": None}
