"""The one error of this package: a line saying what did not work, where to look and what to do."""

__all__ = ["ControlPlaneError"]


class ControlPlaneError(Exception):
    """The control plane could not be built, started or used. The message is complete by itself."""
