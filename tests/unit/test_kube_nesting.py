"""What is nested too deeply for a decoder is read without its depths."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labquota.clock import SystemClock
from labquota.kube import events, nesting
from labquota.kube.feed import Feed
from labquota.kube.listing import Decoder
from labquota.kube.nesting import DEEPEST
from labquota.quota import pods
from unit.builders import manifest

DEPTH = 9_000
DEEP = '{"f:a]":' * DEPTH + "{}" + "}" * DEPTH
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def deep(name: str) -> bytes:
    """A pod with something too deep in the middle of it, as whoever may update it can make it."""
    pod: dict[str, Any] = manifest(name, gpu=1, version="7")
    pod["metadata"] = {"managedFields": [{"fieldsV1": "DEEP"}, {"manager": 'a"\\'}], **pod["metadata"]}
    return json.dumps(pod).replace('"DEEP"', DEEP).encode()


class Recorder:
    """A sink that keeps names."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def replaced(self, items: list[pods.Pod], resource_version: str) -> None:
        raise AssertionError(resource_version, items)

    def changed(self, kind: str, item: pods.Pod, resource_version: str) -> None:
        assert (kind, resource_version) == ("MODIFIED", "7")
        self.names.append(item.metadata.name)

    def progressed(self, resource_version: str) -> None:
        raise AssertionError(resource_version)


def test_a_watch_event_of_a_pod_that_no_decoder_can_follow_is_read() -> None:
    with pytest.raises(msgspec.DecodeError):
        pods.decode(deep("a"))
    kind, meta, raw = events.parse(b'{"type":"MODIFIED","object":%b}' % deep("a"))
    assert (kind, meta.name, meta.resource_version) == ("MODIFIED", "a", "7")
    assert pods.decode(raw) == pods.decode(json.dumps(manifest("a", gpu=1, version="7")).encode())


def test_a_page_with_such_a_pod_is_read_whole() -> None:
    items = b",".join([json.dumps(manifest("a")).encode(), deep("b"), json.dumps(manifest("c")).encode()])
    page = events.page(b'{"metadata":{"resourceVersion":"9","continue":"x"},"items":[%b]}' % items)
    assert (page.metadata.resource_version, page.metadata.more) == ("9", "x")
    assert [pods.decode(raw).metadata.name for raw in page.items or ()] == ["a", "b", "c"]
    assert pods.decode((page.items or [])[1]).spec.containers[0].resources.requests == {"nvidia.com/gpu": "1"}


def test_no_decoder_leaves_such_a_pod_out(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever could make their own pods unreadable would hold them for nothing."""
    for decode in (pods.decode, msgspec.json.Decoder(dict[str, Any]).decode):
        decoder: Decoder[Any] = Decoder("/api/v1/pods", decode)
        assert decoder(msgspec.Raw(deep("a"))) is not None
        assert caplog.messages == []
    assert decoder(msgspec.Raw(b"[" * DEPTH)) is None
    assert len(caplog.messages) == 1


async def test_a_watch_with_such_a_pod_goes_on_with_it() -> None:
    pod = json.loads(deep("a").replace(DEEP.encode(), b'"DEEP"'))
    meta = {"name": "a", "namespace": "lab", "uid": "uid-a", "resourceVersion": "7"} | pod["metadata"]
    whole = {"kind": "Pod", "apiVersion": "v1", **pod, "metadata": meta}
    line = json.dumps(whole, separators=(",", ":")).replace('"DEEP"', DEEP).encode()
    sink = Recorder()
    for key in (None, lambda found: found.metadata.uid):
        feed: Feed[Any] = Feed("/api/v1/pods", Decoder("/api/v1/pods", pods.decode), sink, SystemClock(), key)
        feed.stale = False
        feed.open()
        feed.take(b'{"type":"MODIFIED","object":%b}' % line)
    assert sink.names == ["a", "a"]


def test_a_line_that_only_goes_down_is_no_event() -> None:
    with pytest.raises(msgspec.DecodeError):
        events.parse(b'{"type":"ADDED","object":' + b"[" * DEPTH)
    with pytest.raises(msgspec.DecodeError):
        events.page(b'{"metadata":{},"items":' + b"[" * DEPTH)


@given(JSON, st.integers(0, 3))
def test_what_is_not_deep_stays_as_it_is(value: Any, indent: int) -> None:
    text = json.dumps(value, indent=indent or None).encode()
    assert nesting.pruned(text) == text


@given(JSON)
def test_of_what_is_deep_the_levels_above_stay(value: Any) -> None:
    beside = json.dumps(value)
    text = f'{{"before":{beside},"deep":{DEEP},"after":{beside}}}'
    read = json.loads(nesting.pruned(text.encode()))
    assert (read["before"], read["after"]) == (value, value)
    levels, inner = 0, read["deep"]
    while inner is not None:
        levels, inner = levels + 1, inner["f:a]"]
    assert levels == DEEPEST - 1


@given(st.binary())
def test_what_is_no_json_raises_nothing(raw: bytes) -> None:
    nesting.pruned(raw)
    nesting.pruned(b'["' + raw)
