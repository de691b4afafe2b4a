"""Platforms whose identities labquota knows how to read: which of their accounts to believe, and what they write.

Each is what an administrator would list by hand; nothing is believed of a platform that is not asked for, since
whoever may create its namespace could pass for it.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from labquota.quota.trust import Naming

_TRAINER: Final = "kubeflow-system"
_KNATIVE: Final = "knative-serving"
_INFRA: Final = "openshift-infra"


class Preset(msgspec.Struct, frozen=True):
    """What a platform adds to a Trust.

    Attributes:
        controllers: Its accounts that make pods for people.
        sources: Its accounts that write whose something is.
        kinds: Its custom resources that people create, and that are stamped therefore.
        steps: Its kinds that only lie on the way up: read, and never believed.
    """

    controllers: tuple[str, ...] = ()
    sources: Mapping[str, Naming] = {}
    kinds: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


def jupyterhub(namespace: str, prefix: str) -> Preset:
    """JupyterHub by its Helm chart: the hub makes the pods (KubeSpawner) and writes whose they are.

    The annotation `hub.jupyter.org/username` holds the name as the hub knows it. The label of the same name holds a
    slug, under which two people may look alike.
    """
    return Preset(sources={_account(namespace, "hub"): Naming("hub.jupyter.org/username", prefix)})


def kubeflow(namespace: str, prefix: str) -> Preset:
    """Kubeflow: the profile controller makes a namespace for each person and writes `owner` on it.

    In it the notebooks' web application writes who asked for a notebook; its other applications and controllers say
    nothing of people. A Profile names its owner, too, but is written by whoever manages profiles.
    """
    controllers = (
        "argo",
        "katib-controller",
        "katib-ui",
        "kserve-controller-manager",
        "llmisvc-controller-manager",
        "meta-controller-service",
        "ml-pipeline",
        "ml-pipeline-scheduledworkflow",
        "ml-pipeline-viewer-crd-service-account",
        "notebook-controller-service-account",
        "pvcviewer-controller-manager",
        "spark-operator-controller",
        "tensorboard-controller-controller-manager",
        "tensorboards-web-app-service-account",
        "training-operator",
        "volumes-web-app-service-account",
    )
    return Preset(
        controllers=(
            *(_account(namespace, name) for name in controllers),
            _account(_TRAINER, "kubeflow-trainer-controller-manager"),
            _account(_TRAINER, "jobset-controller-manager"),
            _account(_KNATIVE, "controller"),
        ),
        sources={
            _account(namespace, "profiles-controller-service-account"): Naming("owner", prefix),
            _account(namespace, "jupyter-web-app-service-account"): Naming(
                "notebooks.kubeflow.org/creator", prefix
            ),
        },
        kinds=(
            "experiments.kubeflow.org",
            "inferencegraphs.serving.kserve.io",
            "inferenceservices.serving.kserve.io",
            "jaxjobs.kubeflow.org",
            "jobsets.jobset.x-k8s.io",
            "llminferenceservices.serving.kserve.io",
            "mpijobs.kubeflow.org",
            "notebooks.kubeflow.org",
            "paddlejobs.kubeflow.org",
            "pvcviewers.kubeflow.org",
            "pytorchjobs.kubeflow.org",
            "scheduledsparkapplications.sparkoperator.k8s.io",
            "scheduledworkflows.kubeflow.org",
            "services.serving.knative.dev",
            "sparkapplications.sparkoperator.k8s.io",
            "tensorboards.tensorboard.kubeflow.org",
            "tfjobs.kubeflow.org",
            "trainjobs.trainer.kubeflow.org",
            "viewers.kubeflow.org",
            "workflows.argoproj.io",
            "xgboostjobs.kubeflow.org",
        ),
        steps=(
            "configurations.serving.knative.dev",
            "profiles.kubeflow.org",
            "revisions.serving.knative.dev",
            "suggestions.kubeflow.org",
            "trials.kubeflow.org",
        ),
    )


def openshift(namespace: str, prefix: str) -> Preset:
    """OpenShift: its API server makes the namespace of a project and writes who asked for it.

    Builds and DeploymentConfigs are objects of that API server, which runs no policies that change what is created, so
    nobody stamps them: their pods belong to who asked for the project. Of the controllers in `openshift-infra` these
    create objects in people's namespaces.
    """
    controllers = (
        "build-controller",
        "deployer-controller",
        "deploymentconfig-controller",
        "serviceaccount-controller",
        "serviceaccount-pull-secrets-controller",
        "template-instance-controller",
    )
    return Preset(
        controllers=tuple(_account(_INFRA, name) for name in controllers),
        sources={_account(namespace, "openshift-apiserver-sa"): Naming("openshift.io/requester", prefix)},
        steps=(
            "buildconfigs.build.openshift.io",
            "builds.build.openshift.io",
            "deploymentconfigs.apps.openshift.io",
        ),
    )


PRESETS: Final[Mapping[str, tuple[Callable[[str, str], Preset], str]]] = {
    "jupyterhub": (jupyterhub, "jupyterhub"),
    "kubeflow": (kubeflow, "kubeflow"),
    "openshift": (openshift, "openshift-apiserver"),
}
"""By name: what makes it, and the namespace where the platform's account is by default."""


def _account(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"
