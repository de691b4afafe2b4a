from labquota.kube import marker
from labquota.kube.marker import Marker, Named
from unit.simulated import Clock


def lease(beat: int = 1, view: str = "7", crd: str = "c1", version: str = "") -> Named:
    annotations = dict(marker.of(view, crd, beat))
    return Named(marker._Meta(resource_version=version, annotations=annotations))  # noqa: SLF001  as decoded


def crd(uid: str) -> Named:
    return Named(marker._Meta(uid=uid))  # noqa: SLF001  as decoded


def test_a_lease_is_read_down_to_its_annotations() -> None:
    raw = b'{"metadata": {"name": "x", "uid": "u", "annotations": {"labquota.dev/view": "7"}}, "spec": {"a": 1}}'
    found = marker.decode(raw).metadata
    assert (found.uid, found.annotations) == ("u", {"labquota.dev/view": "7"})
    assert marker.of("7", "c1", 3) == {
        "labquota.dev/view": "7",
        "labquota.dev/crd-uid": "c1",
        "labquota.dev/heartbeat": "3",
    }


def test_only_a_marker_of_the_ledgers_that_exist_now_is_complete() -> None:
    found = Marker(Clock())
    assert not found.is_complete()
    found.replaced([lease()], "5")
    assert not found.is_complete()
    found.crd.replaced([crd("c1")], "5")
    assert found.is_complete()
    found.crd.changed("MODIFIED", crd("c2"), "6")
    assert not found.is_complete()
    found.changed("MODIFIED", lease(2, crd="c2"), "7")
    assert found.is_complete()
    found.changed("MODIFIED", lease(3, view="", crd="c2"), "8")
    assert not found.is_complete()


def test_without_a_crd_nothing_is_complete() -> None:
    found = Marker(Clock())
    found.replaced([lease(crd="")], "5")
    assert not found.is_complete()
    found.crd.replaced([crd("c1")], "5")
    found.replaced([lease()], "6")
    assert found.is_complete()
    found.crd.changed("DELETED", crd("c1"), "7")
    assert not found.is_complete()


def test_an_empty_set_is_no_marker() -> None:
    found = Marker(Clock())
    found.crd.replaced([crd("c1")], "5")
    found.replaced([lease()], "5")
    found.replaced([], "6")
    assert not found.is_complete()
    found.crd.replaced([], "7")
    assert found.crd.uid == ""


def test_an_operator_folds_as_long_as_its_heartbeat_changes() -> None:
    clock = Clock()
    found = Marker(clock)
    assert not found.beats()
    found.replaced([lease(1)], "5")
    clock.shift = 14.9
    assert found.beats()
    found.changed("MODIFIED", lease(1), "6")
    clock.shift = 15
    assert not found.beats()
    found.changed("MODIFIED", lease(2), "7")
    assert found.beats()


def test_a_heartbeat_that_goes_away_is_no_sign_of_life() -> None:
    clock = Clock()
    found = Marker(clock)
    found.replaced([lease(1)], "5")
    clock.shift = 20
    found.changed("DELETED", lease(1), "6")
    assert not found.beats()
    found.changed("ADDED", Named(marker._Meta()), "7")  # noqa: SLF001  as decoded
    assert not found.beats()


def test_a_heartbeat_that_was_read_is_a_sign_of_life_only_if_it_is_another() -> None:
    clock = Clock()
    found = Marker(clock)
    found.replaced([lease(1)], "5")
    clock.shift = 20
    found.read(lease(1, version="5"))
    assert not found.beats()
    found.read(lease(2, version="9"))
    assert found.beats()


def test_what_a_watch_tells_late_is_no_sign_of_life_once_a_newer_lease_was_read() -> None:
    clock = Clock()
    found = Marker(clock)
    found.replaced([lease(1)], "5")
    found.read(lease(4, version="9"))
    clock.shift = 20
    found.changed("MODIFIED", lease(2), "6")
    found.changed("MODIFIED", lease(4), "9")
    assert not found.beats()
    found.read(lease(4, version="9"))
    assert not found.beats()
    found.changed("MODIFIED", lease(5), "10")
    assert found.beats()


def test_a_new_list_counts_whatever_was_read_before() -> None:
    clock = Clock()
    found = Marker(clock)
    found.read(lease(4, version="900"))
    clock.shift = 20
    found.replaced([lease(7)], "5")
    assert found.beats()
    clock.shift = 40
    found.changed("MODIFIED", lease(8), "6")
    assert found.beats()
