"""A kubelet's PodResources socket without a kubelet: it gives a made-up node's devices to the pods that kwok runs.

    API server ── pods of the node ──► allocating ──► books ──► gRPC server on a unix socket

It has the manners of a real one: random order, one entry for each device, no UIDs, finished pods listed for a while and
force-deleted ones not at all, ordinary init containers left out, pods that have not started not there yet.
"""

from kubelet.books import Books
from kubelet.fake import FakeKubelet
from kubelet.ids import FORMS, offers

__all__ = ["FORMS", "Books", "FakeKubelet", "offers"]
