"""Where the two readings of a user's override differ.

The older system's documentation says user > group > defaults. Its code gives a user with an override the
defaults and the override, and forgets the group. labquota follows the documentation, and tells.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from labquota.imports.findings import Where
from labquota.imports.keys import ORDER
from labquota.imports.layers import Setting


class Difference(msgspec.Struct, frozen=True):
    """One field under both readings."""

    field: str
    documented: str
    code: str


class Differing(msgspec.Struct, frozen=True):
    """A user for whom it matters which reading is right."""

    user: str
    group: str
    where: Where
    differences: Sequence[Difference]


def compare(documented: Mapping[str, Setting], code: Mapping[str, Setting]) -> list[Difference]:
    """The fields that differ. An absent limit and an unlimited one are the same."""
    return [
        Difference(field, _shown(documented.get(field)), _shown(code.get(field)))
        for field in ORDER
        if _size(documented.get(field)) != _size(code.get(field))
    ]


def lines(users: Sequence[Differing], followed: str) -> Iterator[str]:
    """The report's section on the two readings; nothing where they agree."""
    if not users:
        return
    other = "code" if followed == "documented" else "documented"
    yield (
        f"The two readings of user overrides differ for {len(users)} user{'s' if len(users) > 1 else ''}. "
        f"This import follows: {followed} (--override-semantics {other} gives the other)."
    )
    yield "  documented: user over group over defaults; code: user over defaults, the group is forgotten"
    for user in users:
        yield f"  {user.user} (group {user.group}), {user.where.place}"
        for difference in user.differences:
            yield f"    {difference.field}: documented {difference.documented}, code {difference.code}"


def _size(setting: Setting | None) -> object:
    return setting.value.size if setting else None


def _shown(setting: Setting | None) -> str:
    if setting is None:
        return "unlimited"
    shown = setting.value.shown
    return str(shown).lower() if isinstance(shown, bool) else str(shown)
