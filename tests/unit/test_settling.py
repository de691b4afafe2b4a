from typing import Any

import pytest

from labquota.controllers.pods import Pods
from labquota.controllers.settling import is_settled, key
from labquota.quota.world import World
from unit.builders import ALICE, BOB, create, resize
from unit.operators import charge

CREATE = create("a", gpu=1)
RESIZE = resize(7, {"cpu": 1}, {"cpu": 2}, "uid-a")


def view(**asks: Any) -> Pods:
    made = Pods(World(), lambda _owner, _freed: None)
    if asks:
        made.changed("ADDED", charge(made, "a", **asks), asks["version"])
    return made


def gone() -> Pods:
    made = view(version="7")
    made.changed("DELETED", charge(made, "a"), "8")
    return made


def test_a_create_is_settled_by_the_pod_itself_or_its_end() -> None:
    assert not is_settled(CREATE, ALICE, view(), ())
    assert is_settled(CREATE, ALICE, view(version="7"), ())
    assert is_settled(CREATE, ALICE, view(version="7", phase="Failed"), ())
    assert is_settled(CREATE, ALICE, gone(), ())
    assert not is_settled(create("a", "another-uid"), ALICE, view(version="7"), ())


@pytest.mark.parametrize(("version", "settled"), [("6", False), ("7", False), ("8", True), ("10", True)])
def test_a_resize_is_settled_by_a_newer_version_of_its_pod(version: str, settled: bool) -> None:  # noqa: FBT001  a column of the table
    assert is_settled(RESIZE, ALICE, view(version=version), ()) is settled


def test_a_resize_is_settled_by_the_pods_end_and_not_by_its_absence() -> None:
    assert is_settled(RESIZE, ALICE, gone(), ())
    assert not is_settled(RESIZE, ALICE, view(), ())


def test_what_was_given_up_is_settled_and_nothing_else_of_that_pod() -> None:
    given_up = {key(CREATE), key(RESIZE)}
    assert is_settled(CREATE, ALICE, view(), given_up)
    assert is_settled(RESIZE, ALICE, view(), given_up)
    assert is_settled(RESIZE, ALICE, view(version="7"), given_up)
    again = resize(7, {"cpu": 1}, {"cpu": 2}, "uid-a", "review-2")
    assert not is_settled(again, ALICE, view(version="7"), given_up)
    later = resize(8, {"cpu": 1}, {"cpu": 2}, "uid-a")
    assert not is_settled(later, ALICE, view(version="8"), given_up)


def test_a_create_is_not_settled_by_a_pod_that_is_charged_to_somebody_else() -> None:
    assert not is_settled(CREATE, BOB, view(version="7"), ())
    assert is_settled(CREATE, BOB, view(version="7"), {key(CREATE)})
