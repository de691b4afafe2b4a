"""A loadable NVML of our own: `libnvidia-ml.so.1` in C, which shows the GPUs that a YAML file describes.

The real pynvml, and NVIDIA's device plugin, load it by LD_LIBRARY_PATH, which counts only when a process starts; so
what uses NVML runs in a process of its own. The file is read again whenever it changes, while programs run.

    node = Node(tmp_path / "node.yaml", "A100-SXM4-40GB", name="gpu-0")     # keys of MODELS, one for each GPU
    node.cut(node.gpus[0], ["3g.20gb", "1g.5gb", ("1c.2g.10gb", "1c.2g.10gb")])
    node.write()                                                            # nothing is seen before
    Process(..., env=os.environ | node.environment())                       # LD_LIBRARY_PATH and LABQUOTA_NVML

    gpu = node.gpus[0]
    gpu.instances[1].uuid, .gi, .ci, .index, .start, .profile               # what was made
    gpu.processes.append(Process(pid=4711, memory=512, gi=1, ci=0))
    del gpu.instances[0]                                                    # a hole among the handles
    node.create(gpu, ["1g.5gb"])                                            # the lowest free place, id and index
    node.cut(gpu, ["7g.40gb"])                                              # all anew, UUIDs too; (): MIG with nothing
    gpu.pending = False                                                     # MIG goes off at the next reset
    node.reboot()                                                           # mode stays, instances go
    node.xid(gpu, 31); node.xid(gpu, 79)                                    # 79 takes it off the bus: gpu.lost = True
    gpu.errors["nvmlDeviceGetMigMode"] = 4                                  # also of one instance, or of node.errors
    node.errors["nvmlInit"] = 18                                            # "*" stands for every function
    node.write()

A function's name without `_v2` or the like stands for all of its versions, and nvmlInit for nvmlInitWithFlags, which
pynvml calls. `Node.environment(R470)` is the library of an older driver, in which newer functions are really missing.
LABQUOTA_NVML_CALLS names a file to which the library appends the name of each function that is called.

The file, should you write one by hand, is the subset of YAML that source/yaml.c describes; source/node.c and gpus.c
read its keys. A mistake in it gives one line on stderr, and NVML_ERROR_UNKNOWN from every function.
"""

from nvml.building import CURRENT, R470, R510, BuildError, Library, library
from nvml.models import MODELS, Model
from nvml.node import Gpu, Mig, Node, Process

__all__ = [
    "CURRENT",
    "MODELS",
    "R470",
    "R510",
    "BuildError",
    "Gpu",
    "Library",
    "Mig",
    "Model",
    "Node",
    "Process",
    "library",
]
