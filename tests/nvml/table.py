"""The table of models as C, which the library is compiled with."""

from nvml.models import MODELS, Model
from nvml.shapes import Profile

__all__ = ["models"]


def models() -> str:
    """One initialiser of `struct model` for each model."""
    return "".join(_model(key, model) for key, model in MODELS.items())


def _model(key: str, model: Model) -> str:
    family = model.family
    major, minor = family.capability
    profiles = ", ".join(_profile(each) for each in family.profiles) or "{0}"
    return (
        f'{{"{key}", "{model.name}", 0x{model.device:04X}, {family.memory}, {major}, {minor}, {family.processors}, '
        f"{family.slices}, {family.slots}, {len(family.profiles)}, {{{profiles}}}}},\n"
    )


def _profile(profile: Profile) -> str:
    starts = ", ".join(map(str, profile.starts))
    return (
        f'{{{profile.ordinal}, {profile.id}, "{profile.name}", {profile.slices}, {profile.size}, '
        f"{len(profile.starts)}, {{{starts}}}, {profile.most}, {profile.memory}, {profile.processors}, "
        f"{profile.media}}}"
    )
