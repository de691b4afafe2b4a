"""The GPUs that our NVML knows, by the names that NVML gives them without "NVIDIA " before it.

The only source: the C library is compiled with a table that `library` writes from this one. Memory is what drivers
report where that is known, else a number that leads to the same profile names.
"""

from dataclasses import dataclass

from nvml.shapes import Chip, Family, quarters, sevenths

__all__ = ["MODELS", "Model"]


@dataclass(frozen=True)
class Model:
    """One product."""

    name: str
    """As NVML says it."""
    device: int
    """The PCI device id; the vendor is 10DE."""
    family: Family


_AMPERE = Chip((8, 0), (14, 14, 28, 42, 56, 98))
_AMPERE_SMALL = Chip((8, 0), (14, 28, 56))
_HOPPER = Chip((9, 0), (16, 26, 32, 60, 64, 132))
_BLACKWELL = Chip((10, 0), (18, 30, 36, 70, 72, 148))
_BLACKWELL_ULTRA = Chip((10, 3), (18, 30, 36, 70, 72, 148))
_PRO = Chip((12, 0), (46, 94, 188))

_A30 = quarters(_AMPERE_SMALL, 24576, "6 12 24", "1g 1g+me 2g 2g+me 4g", (5836, 11672, 23344))
_A100_40 = sevenths(_AMPERE, 40960, "5 10 20 40", (4864, 9856, 19968, 40192))
_A100_80 = sevenths(_AMPERE, 81920, "10 20 40 80", (9856, 19968, 40192, 80384))
_H100_80 = sevenths(_HOPPER, 81559, "10 20 40 80", (9984, 20096, 40448, 81152))
_H100_94 = sevenths(_HOPPER, 95830, "12 24 47 94")
_H100_96 = sevenths(_HOPPER, 97871, "12 24 48 96")
_GH200_144 = sevenths(_HOPPER, 146831, "18 36 72 144")
_H200 = sevenths(_HOPPER, 143771, "18 35 71 141")
_B200 = sevenths(_BLACKWELL, 183359, "23 45 90 180")
_GB200 = sevenths(_BLACKWELL, 189471, "23 47 93 186")
_B300 = sevenths(_BLACKWELL_ULTRA, 275040, "34 67 135 269")
_GB300 = sevenths(_BLACKWELL_ULTRA, 284208, "35 70 139 278")
_PRO_6000 = quarters(
    _PRO, 97887, "24 48 96", "1g 1g+me 1g+gfx 1g+me.all 1g-me 2g 2g+gfx 2g+me.all 2g-me 4g 4g+gfx"
)
_PRO_5000 = quarters(Chip((12, 0), (26, 54, 110)), 48935, "12 24 48", "1g 2g-me 4g")

_TABLE: tuple[tuple[Family, str], ...] = (
    (_A30, "A30=20B7"),
    (_A100_40, "A100-SXM4-40GB=20B0, A100-PG509-200=20B1, A100-PCIE-40GB=20F1, A800 40GB Active=20F6"),
    (_A100_80, "A100-SXM4-80GB=20B2, A100 80GB PCIe=20B5, A800-SXM4-80GB=20F3, A800 80GB PCIe=20F5"),
    (_H100_80, "H100 80GB HBM3=2330, H100 PCIe=2331, H800 PCIe=2322, H800=2324"),
    (_H100_94, "H100 NVL=2321, H800L=233A"),
    (_H100_96, "GH200 480GB=2342, H20=2329, PG506-232=20B6, H100 96GB=233D"),
    (_GH200_144, "GH200 144G HBM3e=2348"),
    (_H200, "H200=2335, H200 NVL=233B"),
    (_B200, "B200=2901"),
    (_GB200, "GB200=2941"),
    (_B300, "B300 SXM6 AC=3182"),
    (_GB300, "GB300=31C2"),
    (_PRO_6000, "RTX PRO 6000 Blackwell Server Edition=2BB5"),
    (_PRO_5000, "RTX PRO 5000 Blackwell=2BB3"),
    # Never cut.
    (Family(15360, (7, 5), 40), "T4=1EB8"),
    (Family(46068, (8, 9), 142), "L40S=26B9"),
    (Family(24564, (8, 9), 128), "GeForce RTX 4090=2684"),
)

MODELS: dict[str, Model] = {
    key: Model(f"NVIDIA {key}", int(device, 16), family)
    for family, products in _TABLE
    for key, _, device in (each.partition("=") for each in products.split(", "))
}
"""By name without "NVIDIA "."""
