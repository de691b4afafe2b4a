"""docs/gpus.md: its settings can be used, and it shows every field and no other."""

import re
from pathlib import Path

import msgspec
import yaml

from labquota import gpusettings
from labquota.gpusettings import _File
from labquota.quota import models

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gpus.md").read_text()
BLOCKS = [
    block
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    if "kind:" not in block
]


def test_the_settings_on_the_page_can_be_used_and_show_every_field() -> None:
    shown: set[str] = set()
    for block in BLOCKS:
        gpusettings.read(block)
        shown |= set(yaml.safe_load(block))
    assert shown == {field.encode_name for field in msgspec.structs.fields(_File)}


def test_prices_on_the_page_mean_what_it_says_they_do() -> None:
    found = gpusettings.read(next(block for block in BLOCKS if "prices:" in block))
    price = found.price("A100-SXM4-40GB", "1g.10gb")
    assert price is not None
    assert (price.compute, price.memory) == (8, 14)
    assert not found.resources["nvidia.com/hostdev"].is_gpu
    assert found.resources["nvidia.com/a100"].whole


def test_the_table_goes_from_the_first_to_the_last_model_that_the_page_names() -> None:
    (first, last) = re.findall(r"a table of models, from (\S+) to (\S+) \|", PAGE)[0]
    names = [model.name.partition("-")[0] for model in models.MODELS]
    assert first in names
    assert last in names
