"""Limits from files: the configuration of the Docker-based limiter that labquota replaces, or labquota's own.

Promise: files in, plain manifests and a report out. No cluster, no clock, and nothing is written anywhere.

    folder: texts ──► lines: values with places ──► sources: a layer each for defaults, group, override, members
                                                        │
    manifests: YAML ◄── convert, people: objects ◄── overlays: the layers laid over one another
                                                        │
    findings: problems, warnings, what was left out ◄───┘  (from every step)

Every problem is found in one run and names file, line and key; with a problem, nothing is given.
"""

from labquota.imports.convert import Converted, Options, convert
from labquota.imports.findings import Findings, Where
from labquota.imports.keys import Unit
from labquota.imports.loading import Loaded, LoadError, load
from labquota.imports.manifests import dump
from labquota.imports.oldstyle import aggregate_gpu_limit, aggregate_section
from labquota.imports.people import Semantics

__all__ = [
    "Converted",
    "Findings",
    "LoadError",
    "Loaded",
    "Options",
    "Semantics",
    "Unit",
    "Where",
    "aggregate_gpu_limit",
    "aggregate_section",
    "convert",
    "dump",
    "load",
]
