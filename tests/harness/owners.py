"""Whom the labquota of a test run believes what: an account of each kind of trust, and the presets' platforms."""

__all__ = ["CONTROLLER", "HUB", "OWNERS", "SOURCE"]

CONTROLLER = "lq-operators/controller"
"""A service account (`namespace/name`) that makes pods for others."""
SOURCE = "lq-operators/source"
"""One that may name an owner."""
HUB = "lq-hub/hub"
"""The hub of a JupyterHub."""

OWNERS = f"""
administrators:
  users: [lq-administrator]
controllers: ["system:serviceaccount:{CONTROLLER.replace("/", ":")}"]
identitySources:
  - principal: "system:serviceaccount:{SOURCE.replace("/", ":")}"
presets:
  jupyterhub: {{namespace: {HUB.partition("/")[0]}}}
  kubeflow: {{}}
  openshift: {{}}
kinds: [gadgets.example.org, notebooks.kubeflow.org, rayclusters.ray.io]
serviceAccounts:
  lq-operators/mapped: user:lq-mapped
"""
