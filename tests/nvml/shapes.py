"""Into what NVIDIA lets a GPU be cut: profiles, their sizes, and where each may lie.

A placement is a start on the GPU's memory slots, of which a profile takes `size`. Profile ids are NVIDIA's and are
not portable: 14 is 2g.10gb on an A100 and 1g.24gb on an RTX PRO 6000.
"""

from dataclasses import dataclass

__all__ = ["Chip", "Family", "Profile", "quarters", "sevenths"]


@dataclass(frozen=True)
class Profile:
    """One way to cut a GPU instance out of a GPU."""

    ordinal: int
    """NVML's constant NVML_GPU_INSTANCE_PROFILE_…, by which it is asked for."""
    id: int
    name: str
    slices: int
    size: int
    starts: tuple[int, ...]
    most: int
    memory: int
    """MiB."""
    processors: int
    media: int = 0


@dataclass(frozen=True)
class Family:
    """What the models of one line of NVIDIA's table have in common; without profiles: never cut."""

    memory: int
    """Of the whole card, in MiB."""
    capability: tuple[int, int]
    processors: int
    slices: int = 0
    slots: int = 0
    profiles: tuple[Profile, ...] = ()

    def profile(self, name: str) -> Profile:
        """The profile of a name.

        Raises:
            ValueError: this family has none of that name; the message says which it has.
        """
        for each in self.profiles:
            if each.name == name:
                return each
        offered = ", ".join(each.name for each in self.profiles) or "none"
        raise ValueError(f"no profile {name} on this model; it offers {offered}")


@dataclass(frozen=True)
class Chip:
    """CUDA's compute capability, and the streaming multiprocessors of each shape, smallest first."""

    capability: tuple[int, int]
    processors: tuple[int, ...]


def sevenths(chip: Chip, memory: int, names: str, sizes: tuple[int, ...] = ()) -> Family:
    """A card of 7 compute slices on 8 memory slots.

    Args:
        chip: its processors are those of 1g, 1g with double memory, 2g, 3g, 4g and 7g.
        memory: of the whole card, in MiB.
        names: GB of a 1g, of a 1g with double memory, of a 3g and of a 7g, such as "5 10 20 40".
        sizes: the same four as the driver reports them, in MiB, where that is known.
    """
    one, two, half, whole = names.split()
    small, double, four, eight = sizes or tuple(_share(memory, slots, 8) for slots in (1, 2, 4, 8))
    sm = chip.processors
    ones, twos = tuple(range(7)), (0, 2, 4)
    profiles = (
        Profile(0, 19, f"1g.{one}gb", 1, 1, ones, 7, small, sm[0]),
        Profile(7, 20, f"1g.{one}gb+me", 1, 1, ones, 1, small, sm[0], media=1),
        Profile(9, 15, f"1g.{two}gb", 1, 2, (*twos, 6), 4, double, sm[1]),
        Profile(1, 14, f"2g.{two}gb", 2, 2, twos, 3, double, sm[2]),
        Profile(2, 9, f"3g.{half}gb", 3, 4, (0, 4), 2, four, sm[3]),
        Profile(3, 5, f"4g.{half}gb", 4, 4, (0,), 1, four, sm[4]),
        Profile(4, 0, f"7g.{whole}gb", 7, 8, (0,), 1, eight, sm[5], media=1),
    )
    return Family(memory, chip.capability, sm[5], 7, 8, profiles)


def quarters(chip: Chip, memory: int, names: str, ways: str, sizes: tuple[int, ...] = ()) -> Family:
    """A card of 4 compute slices on 4 memory slots.

    Args:
        chip: its processors are those of 1g, 2g and 4g.
        memory: of the whole card, in MiB.
        names: GB of a 1g, a 2g and a 4g, such as "6 12 24".
        ways: what it offers, such as "1g 1g+me 2g 4g".
        sizes: the same three as the driver reports them, in MiB, where that is known.
    """
    known = sizes or tuple(_share(memory, slots, 4) for slots in (1, 2, 4))
    profiles = []
    for way in ways.split():
        size, starts, at = {"1g": (1, (0, 1, 2, 3), 0), "2g": (2, (0, 2), 1), "4g": (4, (0,), 2)}[way[:2]]
        ordinal, profile_id = _QUARTERS[way]
        media = int("+me" in way or way == "4g")
        name = f"{way[:2]}.{names.split()[at]}gb{way[2:]}"
        most = 1 if "+me" in way else len(starts)
        sm = chip.processors[at]
        profiles.append(Profile(ordinal, profile_id, name, size, size, starts, most, known[at], sm, media))
    return Family(memory, chip.capability, chip.processors[2], 4, 4, tuple(profiles))


_QUARTERS = {
    "1g": (0, 14), "1g+me": (7, 21), "1g+gfx": (10, 47), "1g+me.all": (15, 65), "1g-me": (13, 67),
    "2g": (1, 5), "2g+me": (8, 6), "2g+gfx": (11, 35), "2g+me.all": (16, 64), "2g-me": (14, 66),
    "4g": (3, 0), "4g+gfx": (12, 32),
}  # fmt: skip
"""NVML's constant and NVIDIA's id of what quarter cards offer."""


def _share(memory: int, slots: int, of: int) -> int:
    """What is left for use of some memory slots, in MiB: a little less than their share."""
    return memory * slots * 97 // (of * 100) // 64 * 64
