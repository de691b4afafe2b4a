"""`labquota policies`: what to apply for the owners' settings of this cluster."""

import base64
from pathlib import Path
from typing import Any

import click

from labquota import ownership
from labquota.cli.failures import BadInput
from labquota.generated import dump
from labquota.policies import guarding, registering, rights, stamping


@click.command("policies")
@click.option(
    "-f", "--filename", default="", metavar="FILE", help="The owners' settings; default: trust nobody."
)
@click.option(
    "--ca-bundle",
    default="",
    metavar="FILE",
    help="The certificate (PEM) by which the API server knows the webhook; default: left to who injects it.",
)
@click.option("--without-policies", is_flag=True, help="For an API server without MutatingAdmissionPolicy.")
def command(filename: str, ca_bundle: str, *, without_policies: bool) -> None:
    """Print the policies, the webhook's registration and the rights that the owners' settings ask for.

    Apply them together, and give the same file to webhook and operator (LABQUOTA_OWNERS): one says who is believed
    inside the API server, the other outside.

    \b
    Examples:
      labquota policies -f owners.yaml --ca-bundle tls.crt | kubectl apply -f -
      labquota policies -f owners.yaml --ca-bundle tls.crt | kubectl diff -f -
      labquota policies -f owners.yaml --without-policies   Kubernetes 1.34 and 1.35, or with the API switched off

    \b
    Exit codes:
      0  printed
      2  the settings or the certificate are wrong; one line says where
    """  # noqa: D301  # \b is click's mark
    try:
        trust = ownership.load(filename)
    except ownership.OwnershipError as error:
        raise BadInput(str(error)) from error
    documents = [*rights.manifests(trust), *guarding.policies(trust)]
    if without_policies:
        registrations = registering.instead_of_policies(trust)
    else:
        documents += stamping.policies(trust)
        registrations = registering.beside_policies(trust)
    if ca_bundle:
        _known_by(registrations, ca_bundle)
    click.echo(dump([*documents, *registrations]), nl=False)


def _known_by(registrations: list[dict[str, Any]], path: str) -> None:
    """Write the certificate into the registrations.

    Raises:
        BadInput: There is none in the file.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise BadInput(f"{path} holds no certificate in PEM")
    for each in registrations:
        for webhook in each["webhooks"]:
            webhook["clientConfig"]["caBundle"] = base64.b64encode(text).decode()
