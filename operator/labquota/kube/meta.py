"""The metadata of objects of which little else is read."""

import msgspec


class Metadata(msgspec.Struct, rename="camel", gc=False):
    """What names an object and what people have written on it.

    Watch events have a leaner one of their own, `events.ObjectMeta`: it is decoded for every change of a pod.
    """

    name: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
