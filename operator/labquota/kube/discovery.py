"""Where the API server is: as kubectl finds it, or a pod by its own account.

The `kubernetes` package reads kubeconfig files (KUBECONFIG, contexts, client certificates, credential plugins, OIDC)
and the service account of a pod; whatever it stumbles over becomes one clear line.
"""

import os
import pathlib
from collections.abc import Callable
from typing import TypeVar

import yaml
from kubernetes import client, config

from labquota.kube.errors import CredentialsError

T = TypeVar("T")


def configuration(kubeconfig: str | None = None, context: str | None = None) -> client.Configuration:
    """Find the cluster: a named kubeconfig, KUBECONFIG, the home folder's, else a pod's own account.

    Args:
        kubeconfig: path of a kubeconfig file, or several joined as in KUBECONFIG.
        context: name of the context; the file's current one by default.

    Returns:
        The `kubernetes` package's own configuration object, for its own client.

    Raises:
        CredentialsError: one line that says what was looked for and what to do.
    """
    return find(kubeconfig, context, lambda found: found)


def find(kubeconfig: str | None, context: str | None, make: Callable[[client.Configuration], T]) -> T:
    """Find the cluster as `configuration` does, and make something of what was found.

    Args:
        kubeconfig: as in `configuration`.
        context: as in `configuration`.
        make: reads the files that the configuration names, so that their errors are told as those of the kubeconfig.

    Raises:
        CredentialsError: as in `configuration`.
    """
    try:
        return make(_read(kubeconfig, context))
    # The package meets a malformed file with whatever error its structure happens to cause.
    except (
        config.ConfigException,
        yaml.YAMLError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:
        raise CredentialsError(
            f"cannot use the credentials in {_sought(kubeconfig)}: {_one_line(error)}"
        ) from error


def files(kubeconfig: str | None = None) -> str:
    """The kubeconfig files that exist, joined as in KUBECONFIG; empty where there is none."""
    found = [pathlib.Path(each).expanduser() for each in _sought(kubeconfig).split(os.pathsep) if each]
    return os.pathsep.join(str(each) for each in found if each.exists())


def _sought(kubeconfig: str | None) -> str:
    return kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"


def _read(kubeconfig: str | None, context: str | None) -> client.Configuration:
    settings = client.Configuration()
    if found := files(kubeconfig):
        config.load_kube_config(found, context, settings)  # type: ignore[no-untyped-call]  # ships no types
    elif kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]  # as above
    else:
        raise CredentialsError(
            f"no cluster to talk to: there is no kubeconfig at {_sought(kubeconfig)}. "
            "Set KUBECONFIG or pass --kubeconfig."
        )
    return settings


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
