"""`python -m labquota.api.generate [--check]`: write the CustomResourceDefinitions, or say that they are stale."""

import sys
from pathlib import Path

from labquota.api.definitions import DEFINITIONS
from labquota.generated import Generated

CRDS = Generated(
    command="python -m labquota.api.generate",
    folder=Path(__file__).parents[3] / "crds",
    pattern="*.yaml",
    documents=lambda: {f"{each.plural}.yaml": [each.manifest()] for each in DEFINITIONS},
)

if __name__ == "__main__":
    sys.exit(CRDS.main())
