"""The oracle as a process: built once into the user's cache folder, then asked a line at a time."""

import json
import re
import subprocess
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controlplane import build
from controlplane.binaries import cache_folder

__all__ = ["Answer", "Oracle", "OracleError"]

SOURCES = Path(__file__).parent

Answer = dict[str, Any]


class OracleError(Exception):
    """The oracle has ended, or said something that is no answer."""


class Oracle:
    """A running oracle; use it as a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [_program()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=10)

    def quantity(self, text: str) -> Answer:
        """`canonical`, `nano`, `value` and `milli` of a quantity, or `error`."""
        return self._ask({"op": "quantity", "text": text})

    def pod(self, pod: dict[str, Any], *, held: bool, required: tuple[str, ...] = ()) -> Answer:
        """`requests`, `limits` and `refusal` of a pod that has the API server's defaults, or `error`."""
        return self._ask({"op": "pod", "pod": pod, "held": held, "required": required})

    def place(self, pod: dict[str, Any], node: dict[str, Any]) -> Answer:
        """`matches`: whether a pod's node selector and required affinity let it run on a node, or `error`."""
        return self._ask({"op": "place", "pod": pod, "node": node})

    def _ask(self, question: dict[str, Any]) -> Answer:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise OracleError(
                f"no answer to {question}; the oracle said: {process.stderr.read().decode()[-2000:]}"
            )
        answer: Answer = json.loads(line)
        return answer


def _program() -> Path:
    """The built program; the first time this takes a minute or more."""
    digest = sha256()
    for file in sorted((*SOURCES.glob("*.go"), SOURCES / "go.mod", SOURCES / "go.sum")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    folder = cache_folder().with_name("oracle") / digest.hexdigest()[:12]
    if not folder.is_dir():
        text = (SOURCES / "go.mod").read_text()
        version = re.search(r"k8s\.io/kubernetes (v\S+)", text)
        go = re.search(r"^go (\S+)", text, re.MULTILINE)
        assert version is not None
        assert go is not None
        build.build(SOURCES, folder, ("oracle",), build.Stamp("oracle", version[1], go[1]))
    return folder / "oracle"
