"""Work on a set, cut into shards: files with records, so that a worker that is lost costs one of them.

How a set is cut depends on its size alone. So its files are the same bytes whoever makes them, and a run on other
workers continues what an earlier one has begun.
"""

import math
from collections.abc import Iterator

SHARDS = 64


def shard_size(num_items: int, *, least: int, most: int) -> int:
    """Return how many items a shard holds: a 64th of them, within bounds."""
    return min(most, max(least, math.ceil(num_items / SHARDS)))


def cut(num_items: int, *, least: int, most: int) -> Iterator[range]:
    """Yield the positions of each shard's items; of nothing, one empty shard."""
    size = shard_size(num_items, least=least, most=most)
    for first in range(0, max(num_items, 1), size):
        yield range(first, min(first + size, num_items))
