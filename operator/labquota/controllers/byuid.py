"""The view's pods, looked up as everybody else writes a uid."""

from collections.abc import Iterator, Mapping

from labquota.controllers.charges import Charge, Key, pack, unpack


class ByUid(Mapping[str, Charge]):
    """A window on the view's own dictionary."""

    def __init__(self, pods: Mapping[Key, Charge]) -> None:
        self._pods = pods

    def __getitem__(self, uid: str) -> Charge:
        return self._pods[pack(uid)]

    def __iter__(self) -> Iterator[str]:
        return map(unpack, self._pods)

    def __len__(self) -> int:
        return len(self._pods)
