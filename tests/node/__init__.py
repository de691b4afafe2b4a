"""A real GPU node in a box: kubelet, containerd, runc and NVIDIA's device plugin, on GPUs that a file describes.

Everything runs in namespaces of its own, joined to the control plane of the tests, and ends with the process that
started it. It needs Linux and root, and says in one line what a machine lacks.

    with ControlPlane() as plane, RealNode(plane, gpus) as node:
        plane.client.create("/api/v1/namespaces/default/pods", pods.pod("p", "default", mig={"1g.5gb": 1}))
        print(node.podresources())
"""
