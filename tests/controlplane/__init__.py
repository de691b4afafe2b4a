"""A real Kubernetes control plane on loopback: etcd, API servers, controllers, scheduler and fake GPU nodes.

Demo, tests and benchmark all run on this one. It needs no container engine, no root and no network once its
binaries are built; several can run at once; and whatever happens to the process that started it, even SIGKILL,
nothing is left running.

    with ControlPlane(nodes=4) as plane:
        alice = plane.user("alice", groups=["students"])
        print(plane.kubectl(alice, "auth", "whoami").stdout)
"""

from controlplane.client import ApiError, Client
from controlplane.errors import ControlPlaneError
from controlplane.plane import ControlPlane
from controlplane.process import Process
from controlplane.users import User
from controlplane.wires import Wires

__all__ = ["ApiError", "Client", "ControlPlane", "ControlPlaneError", "Process", "User", "Wires"]
