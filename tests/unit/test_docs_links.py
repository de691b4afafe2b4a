"""What the project says about itself points at things that exist, and at nothing outside it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_pages_and_headings_that_exist(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if link.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in _anchors(target), f"{page.name} links to {link}; there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    roots = ("operator", "tests", "config", "crds", "docs")
    for name in re.findall(rf"`((?:{'|'.join(roots)})/[\w./-]*)`", page.read_text()):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_the_protocol_names_modules_that_exist() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text().partition("## Where it is in the code")[2]
    package = ROOT / "operator" / "labquota"
    folder = ""
    for name in re.findall(r"`([a-z_/]+\.py)`", text):
        folder = str(Path(name).parent) if "/" in name else folder
        assert (package / folder / Path(name).name).exists(), f"docs/protocol.md names {folder}/{name}"


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
