"""A cluster of two workers, both of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spner.core.cluster import Cluster, open_cluster


@contextmanager
def two_workers(folder: Path) -> Iterator[Cluster]:
    """Start them by a file in a folder."""
    path = folder / "local.yaml"
    path.write_text("env: local\nn_workers: 2\noptions:\n  host: 127.0.0.1\n")
    with open_cluster(path) as made:
        assert made is not None
        yield made
