"""`labquota policies`: what to apply for the owners' settings of this cluster."""

import click

from labquota import ownership
from labquota.cli.failures import BadInput
from labquota.generated import dump
from labquota.policies import guarding, registering, rights, stamping


@click.command("policies")
@click.option(
    "-f", "--filename", default="", metavar="FILE", help="The owners' settings; default: trust nobody."
)
@click.option("--without-policies", is_flag=True, help="For an API server without MutatingAdmissionPolicy.")
def command(filename: str, *, without_policies: bool) -> None:
    """Print the policies, the webhook's registration and the rights that the owners' settings ask for.

    Apply them together, and give the same file to webhook and operator (LABQUOTA_OWNERS): one says who is believed
    inside the API server, the other outside.

    \b
    Examples:
      labquota policies | kubectl apply -f -
      labquota policies -f owners.yaml | kubectl diff -f -
      labquota policies -f owners.yaml --without-policies   Kubernetes before 1.34, or with the API switched off

    \b
    Exit codes:
      0  printed
      2  the settings are wrong; one line says where
    """  # noqa: D301  # \b is click's mark
    try:
        trust = ownership.load(filename)
    except ownership.OwnershipError as error:
        raise BadInput(str(error)) from error
    documents = [*rights.manifests(trust), *guarding.policies(trust)]
    if without_policies:
        documents += registering.instead_of_policies(trust)
    else:
        documents += [*stamping.policies(trust), *registering.beside_policies(trust)]
    click.echo(dump(documents), nl=False)
