"""A set decoded in shards of utterances, by this process or by the workers of a cluster.

A shard's hypotheses lie in a folder of their own until the set's are complete, in the formats of the set's. Batches are
those of the whole set, so the hypotheses are, too: a shard has the batches whose first utterance it has.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from spner.core.errors import SpnerError
from spner.core.files import digest, remove
from spner.core.parallel import Processes, Workers
from spner.core.shards import cut
from spner.data.wav_scp import read_locations
from spner.decode.hypotheses import Hypotheses, join_once, write_once
from spner.decode.parallel_search import BeamSearch
from spner.decode.recogniser import BATCH_SIZE, Batch, compute_batches, list_batches, load_recogniser
from spner.decode.transcribe import decode

SHARDS = ".shards"
LEAST_PER_SHARD, MOST_PER_SHARD = 64, 2048
"""Utterances. Without a cluster shards are the largest: a GPU has nothing to do while one is written."""


@dataclass(frozen=True)
class SetToDecode:
    """A set, and what decodes it.

    Attributes:
        data: ``data/<set>`` of stage 1.
        out: folder of its hypotheses.
        trained: experiment folder of the recogniser.
        identity: what decides the hypotheses.
        decoded: what tables say of them.
        search: None searches greedily.
        device: torch device, as on the command line.
        batch_size: utterances in a batch at most; None: the device's own limit.
    """

    data: Path
    out: Path
    trained: Path
    identity: Mapping[str, Any]
    decoded: Mapping[str, Any]
    search: BeamSearch | None
    device: str
    batch_size: int | None

    @property
    def keeps_several(self) -> bool:
        """Whether the search keeps several hypotheses of an utterance."""
        return self.search is not None and self.search.num_best > 1

    @property
    def shards(self) -> Path:
        """The folder of its shards; those of other hypotheses have another one."""
        return self.out / SHARDS / digest([self.identity, self.device, self.batch_size])[:12]


@dataclass(frozen=True)
class _Shard:
    whole: SetToDecode
    positions: range

    @property
    def folder(self) -> Path:
        return self.whole.shards / f"{self.positions.start:09d}-{self.positions.stop:09d}"


def decode_set(whole: SetToDecode, cluster: Workers | None) -> None:
    """Write a set's hypotheses, unless they are there; shards of a stopped run are used again.

    Raises:
        SpnerError: as decoding does, hypotheses of other audio are there, or workers decode on different devices.
    """
    decode = functools.partial(_decode_shards, whole, cluster)
    join_once(whole.out, whole.identity, decode, decoded=whole.decoded, nbest=whole.keeps_several)
    remove(whole.out / SHARDS)


def _decode_shards(whole: SetToDecode, cluster: Workers | None) -> list[Path]:
    """Decode a set and return the folders of its shards."""
    for other in (whole.out / SHARDS).glob("*"):
        if other != whole.shards:
            remove(other)
    num_utts = len(read_locations(whole.data))
    least = max(LEAST_PER_SHARD, whole.batch_size or BATCH_SIZE) if cluster else MOST_PER_SHARD
    shards = [_Shard(whole, positions) for positions in cut(num_utts, least=least, most=MOST_PER_SHARD)]
    workers = cluster or Processes()
    devices = list(workers.map(_decode_shard, shards, what=f"decode {whole.data.name}", unit="shard"))
    if len(set(devices)) > 1:  # their batches differ, and so do the last digits
        remove(whole.shards)
        raise SpnerError(
            f"{whole.data}: was decoded by workers with different devices ({', '.join(sorted(set(devices)))}; expected "
            "one kind); give --device, or a cluster whose workers are alike"
        )
    return [shard.folder for shard in shards]


@functools.lru_cache(maxsize=1)
def _load(trained: Path, device: str, model: str) -> Any:
    """Return the recogniser whose fingerprint is ``model``; a worker loads it once."""
    return load_recogniser(trained, device=device)


@functools.lru_cache(maxsize=1)
def _list_batches(data: Path, audio: str, device_type: str, batch_size: int | None) -> list[Batch]:
    """Return the batches of a set whose fingerprint is ``audio``; its tables are read once for all shards."""
    return list_batches(data, device_type, batch_size=batch_size)


def _decode_shard(shard: _Shard) -> str:
    """Decode a shard and return the kind of device it was done on."""
    whole = shard.whole
    recogniser = _load(whole.trained, whole.device, whole.identity["model"])
    device_type = recogniser.device.type
    search = whole.search and replace(whole.search, posteriors=shard.folder / ".posteriors")

    def make() -> Hypotheses:
        shard.folder.mkdir(parents=True, exist_ok=True)
        what = whole.data.name + (f" from {shard.positions.start}" if shard.positions.start else "")
        everything = _list_batches(whole.data, whole.identity["audio"], device_type, whole.batch_size)
        firsts = accumulate(map(len, everything), initial=0)
        batches = [batch for batch, first in zip(everything, firsts, strict=False) if first in shard.positions]
        computed = compute_batches(recogniser, batches, what=f"decode {what}")
        hyps = decode(recogniser, computed, search, num_utts=sum(map(len, batches)), what=what)
        if search:
            remove(search.posteriors)
        return hyps

    identity = {**whole.identity, "device": device_type}
    write_once(shard.folder, identity, make, decoded=whole.decoded, nbest=whole.keeps_several)
    return device_type
