"""Runs runc on containers without a seccomp profile.

Run as a script: `python -I -S bare_runc.py RUNC ARG...`. The kubelet wants the runtime's default profile for every
sandbox; a runc that can do that needs a C library, which would be one more thing that a machine must have.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    runc, arguments = sys.argv[1], sys.argv[2:]
    if "create" in arguments:
        config = Path(arguments[arguments.index("--bundle") + 1]) / "config.json"
        spec = json.loads(config.read_text())
        if spec.get("linux", {}).pop("seccomp", None) is not None:
            config.write_text(json.dumps(spec))
    os.execv(runc, [runc, *arguments])


if __name__ == "__main__":
    main()
