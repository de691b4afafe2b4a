"""The soak itself, so small that it fits in here; `make soak` lets a hundred thousand pods live and end."""

import pytest

from controlplane import ControlPlane
from harness import Installation, World
from soak import soaking
from soak.living import SoakError
from soak.soaking import soak


async def test_many_pods_live_and_end_and_leave_nothing_behind(
    control_plane: ControlPlane, installation: Installation, world: World
) -> None:
    lines: list[str] = []
    found = await soak(
        control_plane, installation, pods=600, checkpoints=2, say=lines.append, tag=world.name("soak")
    )
    assert [each.pods for each in found] == [300, 600]
    assert all(each.held for each in found), "no pod was held at a checkpoint: nothing was compared"
    assert [line.split()[0] for line in lines] == ["300", "600"]
    assert all("ledgers = truth" in line for line in lines)


async def test_a_soak_fails_on_a_ledger_that_is_not_the_truth(
    control_plane: ControlPlane, installation: Installation, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soaking, "_SETTLE_SECONDS", 3.0)
    installation.operator().pause()
    try:
        with pytest.raises(SoakError, match=r"after 20 pods: user:.* "):
            await soak(
                control_plane, installation, pods=20, checkpoints=1, say=lambda _: None, tag=world.name("bad")
            )
    finally:
        installation.operator().resume()
