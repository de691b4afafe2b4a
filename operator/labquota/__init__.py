"""Fair, exact, per-person resource limits for shared GPU clusters on Kubernetes."""

__version__ = "0.1.0"
