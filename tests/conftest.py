"""What every test shares: the reviewed data beside the checkout, repeatable properties, no hub."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = [
    "tests.prepared",
    "tests.recipes",
    "tests.hubs",
]  # fixtures of the tests that train and decode, and run recipes

ROOT = Path(__file__).resolve().parents[1]

# Tests that start `python -m spner` need no installed package, and nothing may reach for a network.
os.environ["PYTHONPATH"] = str(ROOT)
os.environ["HF_HUB_OFFLINE"] = "1"

# Busy machines miss hypothesis's deadline of 200 ms; a failure must come back on the next run.
settings.register_profile("spner", deadline=None, derandomize=True)
settings.load_profile("spner")


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The top of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder ``shared/data`` beside the checkout or beside one of the folders above it; without one, a skip."""
    for folder in ROOT.parents:
        if (folder / "shared" / "data").is_dir():
            return folder / "shared" / "data"
    pytest.skip("needs the folder shared/data beside the checkout")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give what trains more time, and begin with what takes longest, so that two processes end together."""

    def limit_s(item: pytest.Item) -> float:
        marker = item.get_closest_marker("timeout")
        return marker.args[0] if marker else 0

    for item in items:
        if item.get_closest_marker("espnet") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))
    items.sort(key=limit_s, reverse=True)
