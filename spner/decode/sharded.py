"""A set decoded by the workers of a cluster, in shards of utterances.

A shard's hypotheses lie in a folder of their own until the set's are complete, in the formats of the set's. Batches are
those of a single process, so the hypotheses are, too: a shard has the batches whose first utterance it has.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spner.core.errors import SpnerError
from spner.core.files import digest, remove
from spner.core.parallel import Workers
from spner.core.shards import cut
from spner.data.wav_scp import find_durations
from spner.decode.hypotheses import Hypotheses, read_all, write_once
from spner.decode.parallel_search import BeamSearch
from spner.decode.recogniser import compute_posteriors, load_recogniser
from spner.decode.transcribe import decode

SHARDS = ".shards"
LEAST_PER_SHARD, MOST_PER_SHARD = 64, 2048  # utterances


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
        batch_size: utterances in a batch at most.
    """

    data: Path
    out: Path
    trained: Path
    identity: Mapping[str, Any]
    decoded: Mapping[str, Any]
    search: BeamSearch | None
    device: str
    batch_size: int

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
        return self.whole.shards / f"{self.positions.start:09d}"


def decode_on_cluster(whole: SetToDecode, cluster: Workers) -> Hypotheses:
    """Return a set's hypotheses, decoded by the cluster's workers; shards of a stopped run are used again.

    Raises:
        SpnerError: as decoding does, or workers decode on different devices.
    """
    for other in (whole.out / SHARDS).glob("*"):
        if other != whole.shards:
            remove(other)
    num_utts = len(find_durations(whole.data))
    least = max(LEAST_PER_SHARD, whole.batch_size)
    shards = [_Shard(whole, positions) for positions in cut(num_utts, least=least, most=MOST_PER_SHARD)]
    devices = list(cluster.map(_decode_shard, shards, what=f"decode {whole.data.name}", unit="shard"))
    if len(set(devices)) > 1:  # their batches differ, and so do the last digits
        remove(whole.shards)
        raise SpnerError(
            f"{whole.data}: was decoded by workers with different devices ({', '.join(sorted(set(devices)))}; expected "
            "one kind); give --device, or a cluster whose workers are alike"
        )
    return read_all([shard.folder for shard in shards], nbest=whole.keeps_several)


def remove_shards(out: Path) -> None:
    """Remove the shards of a set whose hypotheses are complete."""
    remove(out / SHARDS)


@functools.lru_cache(maxsize=1)
def _load(trained: Path, device: str, model: str) -> Any:
    """Return the recogniser whose fingerprint is ``model``; a worker loads it once."""
    return load_recogniser(trained, device=device)


def _decode_shard(shard: _Shard) -> str:
    """Decode a shard and return the kind of device it was done on."""
    whole = shard.whole
    recogniser = _load(whole.trained, whole.device, whole.identity["model"])
    search = whole.search and replace(whole.search, num_workers=1, posteriors=shard.folder / ".posteriors")

    def make() -> Hypotheses:
        shard.folder.mkdir(parents=True, exist_ok=True)
        what = f"{whole.data.name} from {shard.positions.start}"
        batches = compute_posteriors(
            recogniser, whole.data, batch_size=whole.batch_size, what=what, positions=shard.positions
        )
        return decode(recogniser, batches, search, what=what)

    identity = {**whole.identity, "device": recogniser.device.type}
    write_once(shard.folder, identity, make, decoded=whole.decoded, nbest=whole.keeps_several)
    return recogniser.device.type
