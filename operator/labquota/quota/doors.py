"""Whom ways to GPUs that nobody asked for are closed to, and which classes of runtimes and devices are such ways."""

from collections.abc import Mapping

from labquota.quota import selectors
from labquota.quota.gpusettings import GPUSettings
from labquota.quota.limits import Limits, capped
from labquota.quota.resources import family


def limits_gpus(limits: Limits, settings: GPUSettings) -> bool:
    """Whether an owner's GPUs are limited in any way: whoever may hold any number has nothing to get around."""
    if limits.enforcement == "Off":
        return False
    if not limits.allow_whole_gpu:
        return True
    keys = (key for layer in (limits.aggregate, limits.per_pod) for key in capped(layer))
    return any(family(key) == "GPU" or settings.is_gpu_like(key) for key in keys)


def trusts(settings: GPUSettings, namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether containers of a namespace may reach GPUs without asking for them."""
    if namespace in settings.trusted_namespaces:
        return True
    return settings.trusted_selector is not None and selectors.matches(settings.trusted_selector, labels)


def gives_gpus(settings: GPUSettings, runtime: str) -> bool:
    """Whether a RuntimeClass or a handler is NVIDIA's; one that goes on after a dash is meant, too (`nvidia-cdi`)."""
    return any(runtime == each or runtime.startswith(f"{each}-") for each in settings.runtime_classes)
