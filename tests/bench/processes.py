"""What the kernel counts of a process: CPU and memory."""

import os
import time
from pathlib import Path

__all__ = ["cpu_seconds", "memory_bytes"]

_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process so far, user and system, as exactly as the scheduler counts it."""
    return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3), which Python does not offer


def memory_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
