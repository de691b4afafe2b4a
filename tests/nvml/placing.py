"""Where the GPU instances of a layout lie: NVIDIA's placement rules, tried in order until everything fits."""

from collections import Counter
from collections.abc import Sequence

from nvml.shapes import Family, Profile

__all__ = ["instance_id", "place"]


def place(family: Family, names: Sequence[str], taken: Sequence[tuple[Profile, int]] = ()) -> list[int]:
    """A first memory slot for each profile, beside what lies there already; the lowest that let all fit.

    Raises:
        ValueError: no profile of a name, or the rules leave no place for all of them.
    """
    profiles = [family.profile(name) for name in names]
    counts = Counter(each.name for each in (*profiles, *(profile for profile, _ in taken)))
    for each in profiles:
        if counts[each.name] > each.most:
            raise ValueError(f"{counts[each.name]} x {each.name}: at most {each.most} fit on one GPU")
    free = [True] * family.slots
    for profile, start in taken:
        free[start : start + profile.size] = [False] * profile.size
    found = _search(profiles, free)
    if found is None:
        beside = ", ".join(profile.name for profile, _ in taken)
        raise ValueError(f"no place for {', '.join(names)}" + (f" beside {beside}" if beside else ""))
    return found


def _search(profiles: Sequence[Profile], free: list[bool]) -> list[int] | None:
    if not profiles:
        return []
    first, rest = profiles[0], profiles[1:]
    for start in first.starts:
        slots = slice(start, start + first.size)
        if all(free[slots]):
            left = list(free)
            left[slots] = [False] * first.size
            found = _search(rest, left)
            if found is not None:
                return [start, *found]
    return None


def instance_id(family: Family, profile: Profile, start: int) -> int:
    """The id of a GPU instance: halves, quarters and single slots of a GPU are numbered one after the other.

    The whole is 0, its halves 1 and 2, quarters 3 to 6, and so on; so ids are used again.
    """
    return family.slots // profile.size - 1 + start // profile.size
