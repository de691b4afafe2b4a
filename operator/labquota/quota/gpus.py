"""Which resource names are GPUs, by the vendor that they begin with; what one costs is for `inventory` to say."""

from typing import Final

_VENDOR: Final = "nvidia.com/"


def is_gpu_like(resource: str) -> bool:
    """Whether a name is of a GPU vendor: each device of it is one unit of `gpu`, known or not."""
    return resource.startswith(_VENDOR)
