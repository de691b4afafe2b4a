"""One process on each GPU node: it looks, and writes what it found into the node's GPUNode.

    NVML ──────── scanning, scanner ──────► what exists, and which processes use it ─────┐
    kubelet ───── podresources, kubelet ──► what is offered, and who was given what ─────┤
    API server ── pods, node ─────────────► the node's pods, with UIDs and owners ───────┤
    /proc ─────── procfs, cgroups ────────► in which pod a process runs ─────────────────┤
                                                                                         ▼
    API server ◄── writing ◄── agent ◄── offering, holding, accounting: what the four come to

Promise: it changes nothing on the node, opens NVML for the length of a scan alone, needs no privilege, and writes
only its own node's GPUNode, only when something has changed, and once a minute to show that it lives. It stays small:
nothing here imports aiohttp, the `kubernetes` package or protobuf.
"""
