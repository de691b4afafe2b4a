"""What a GPU limit counts, as the keys' names tell: slots in the older vintage, GPU equivalents in the newer."""

from collections.abc import Iterable

from labquota.imports import keys
from labquota.imports.findings import Findings, Where
from labquota.imports.lines import Document, Entry


def of(sections: Iterable[tuple[Document, Entry]], findings: Findings) -> keys.Unit:
    """The unit of a whole configuration.

    One newer name is enough: the newer system reads the older names as other names of the same limits.
    """
    newer: list[Where] = []
    older: list[Where] = []
    nameless: list[Where] = []
    for document, entry in sections:
        section = document.section(entry)
        newer += [value.where for key, value in section.items() if key in keys.NEWER]
        older += [value.where for key, value in section.items() if key in keys.OLDER]
        if "aggregate" in section:
            aggregate = document.section(section["aggregate"])
            nameless += [value.where for key, value in aggregate.items() if key == "gpu_limit"]
    if newer and older:
        findings.warn(
            min(older),
            f"an older name in a configuration that also has {min(newer).key}: "
            "its number is read as GPU equivalents (--gpu-limit-unit slots reads all as slots)",
        )
    if not newer and not older and nameless:
        findings.warn(
            min(nameless),
            "no key's name tells whether this counts slots or GPU equivalents: read as slots "
            "(--gpu-limit-unit equivalents reads it as the other)",
        )
    return keys.Unit.EQUIVALENTS if newer else keys.Unit.SLOTS
