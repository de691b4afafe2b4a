"""The kept corpus, and what grows out of it."""

import contextlib
import copy
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

__all__ = [
    "CORPUS",
    "REVIEWS",
    "SCALE",
    "Body",
    "bytes_like",
    "keeping",
    "ledgers",
    "quantities",
    "trees_like",
]

SCALE = int(os.environ.get("FUZZ", "1"))
"""How many times the examples of each test are multiplied: `FUZZ=50 pytest tests/hostile/test_fuzz_reviews.py`."""
CORPUS = Path(__file__).parent / "corpus"
REVIEWS = {path.name: path.read_bytes() for path in sorted((CORPUS / "reviews").iterdir())}
"""Bodies of reviews by the name of their file."""

_TOKENS = [
    *(
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"true",
        b"-1",
        b"1e999999999",
        b"0.1",
        b"9" * 30,
    ),
    *(
        b"\x00",
        b"\\u0000",
        b"\\ud800",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\r\n",
        b" ",
        b"{}",
        b"[]",
        b'""',
    ),
    *(
        b'"uid":"x",',
        b'"request":{},',
        b'"object":null,',
        b'"spec":{},',
        b'"containers":null,',
        b'"cpu":"1",',
    ),
    *(
        b"CREATE",
        b"UPDATE",
        b"DELETE",
        b"nvidia.com/",
        b"requests",
        b"limits",
        b"=",
        b";",
        b"%",
        b"1Ei",
        b"[" * 2_000,
    ),
]
_VALUES: list[Any] = [
    *(None, True, 0, -1, 2**63, 2**70, 1.5, "", "\x00", "a b", "é\u2028", "x" * 5_000, "a" * 300),
    *([], {}, [[]], {"": ""}, [None], {"a": None}, "1e999999999", "-1", "1Ei", "9" * 100),
    *(
        "UPDATE",
        "CREATE",
        "user:bob",
        "system:node:n",
        "Always",
        "Pending",
        "Succeeded",
        "2026-01-01T00:00:00Z",
    ),
]
_KEYS = [
    *(
        "cpu",
        "memory",
        "nvidia.com/gpu",
        "nvidia.com/x",
        "example.com/y",
        "requests",
        "limits",
        "hugepages-2Mi",
        "",
    ),
    *(
        "uid",
        "name",
        "namespace",
        "annotations",
        "labquota.dev/owner",
        "kubernetes.io/config.mirror",
        "resources",
    ),
    *(
        "resourceVersion",
        "generation",
        "deletionTimestamp",
        "phase",
        "restartPolicy",
        "overhead",
        "conditions",
    ),
    *("allocatedResources", "containerStatuses", "initContainers", "oldObject", "dryRun", "\x00", "x" * 300),
]


def quantities() -> list[str]:
    """Kept quantities."""
    found: list[str] = json.loads((CORPUS / "quantities.json").read_text())
    return found


def ledgers() -> dict[str, bool]:
    """Kept ledgers, and whether they are ledgers at all."""
    found: dict[str, list[str]] = json.loads((CORPUS / "ledgers.json").read_text())
    return {text: word == "read" for word, texts in found.items() for text in texts}


class Body(bytes):
    """Bytes that are told in one short line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Body({self[:60]!r}… {len(self)} bytes)"


@contextlib.contextmanager
def keeping(body: bytes) -> Iterator[None]:
    """Keep a body that makes a test fail in a file, and say where: what is found belongs into the corpus."""
    try:
        yield
    except BaseException as error:
        path = (
            Path(tempfile.gettempdir()) / "labquota-hostile" / f"{hashlib.sha256(body).hexdigest()[:16]}.raw"
        )
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
        error.add_note(f"the body is kept in {path}")
        raise


@st.composite
def bytes_like(draw: st.DrawFn, bodies: list[bytes], tokens: list[bytes] = _TOKENS) -> Body:
    """One of these bodies with a few places cut, doubled, flipped or filled with what is dangerous."""
    raw = draw(st.sampled_from(bodies))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        to = min(len(raw), at + draw(st.sampled_from([0, 1, 2, 7, 40, 1_000])))
        what = draw(st.sampled_from(["cut", "end", "double", "token", "noise"]))
        piece = {
            "cut": b"",
            "end": b"",
            "double": raw[at:to] * 2,
            "token": draw(st.sampled_from(tokens)) if what == "token" else b"",
            "noise": draw(st.binary(max_size=8)) if what == "noise" else b"",
        }[what]
        raw = raw[:at] if what == "end" else raw[:at] + piece + raw[to:]
    return Body(raw)


@st.composite
def trees_like(draw: st.DrawFn, bodies: list[bytes]) -> Body:
    """One of these JSON texts with a few values, keys or elements exchanged: well-formed, and strange."""
    tree = json.loads(draw(st.sampled_from(bodies)))
    for _ in range(draw(st.integers(1, 4))):
        _strange(draw, tree)
    return Body(json.dumps(tree).encode())


def _strange(draw: st.DrawFn, tree: Any) -> None:
    """Walk down to some place and change it."""
    node = tree
    while True:
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        below = node[key]
        if isinstance(below, dict | list) and below and draw(st.integers(0, 9)):
            node = below
            continue
        match draw(st.sampled_from(["value", "drop", "rename", "copy"])):
            case "drop":
                del node[key]
            case "rename" if isinstance(node, dict):
                node[draw(st.sampled_from(_KEYS))] = node.pop(key)
            case "copy" if isinstance(node, list):
                node.extend([below] * draw(st.sampled_from([1, 2, 50])))
            case _:
                node[key] = copy.deepcopy(draw(st.sampled_from(_VALUES)))
        return
