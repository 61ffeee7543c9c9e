"""``spner decode``: a trained model and a set's audio -> hypotheses in the references' formats."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from spner.core import paths
from spner.core.files import fingerprint, locked, write_json
from spner.core.parallel import Processes, Workers
from spner.core.searches import GREEDY
from spner.core.training import chosen_checkpoint
from spner.data.wav_scp import identify_audio
from spner.decode.beam_options import BeamOptions
from spner.decode.hypotheses import refuse_other_system
from spner.decode.parallel_search import open_search
from spner.decode.sharded import SetToDecode, decode_set

DECODED_GREEDILY = {"search": GREEDY, "kind": GREEDY}


def decode_sets(
    data: Path,
    exp: Path,
    set_names: Sequence[str],
    *,
    device: str,
    batch_size: int | None,
    beam: BeamOptions | None = None,
    model: Path | None = None,
    cluster: Workers | None = None,
) -> str:
    """Write ``exp/decode/<search>/<set>/{text,entities.jsonl}`` of each set: tagged text, and words with entities.

    A set that this model and this search have already decoded is not decoded again. Entities and words carry times
    and raw confidences; :mod:`spner.decode.calibrate` makes them chances of being right.

    Returns:
        the search's name; :mod:`spner.core.searches` says how it is called.

    Args:
        data: data folder of stage 1.
        exp: ``exp/<tag>`` of stage 4.
        set_names: which sets.
        device: torch device; ``auto`` takes a GPU if there is one.
        batch_size: utterances in a batch at most; None: the device's own limit.
        beam: beam search instead of greedy search; where it keeps several hypotheses, ``nbest.jsonl`` holds them.
        model: another experiment, whose model decodes; ``exp``, without a training of its own, gets the hypotheses.
        cluster: what decodes shards of a set instead of this process.

    Raises:
        SpnerError: stage 1 or 4 has not finished, the model does not fit its tokens, the search cannot be made, or
            hypotheses of other audio are there.
    """
    system = {"model": str(model)} if model else None
    refuse_other_system(exp, system)
    trained = model or exp
    weights = fingerprint([trained / paths.CONFIG, chosen_checkpoint(trained)])
    name = beam.name_search(trained) if beam else GREEDY
    audio = {set_name: identify_audio(data / set_name) for set_name in set_names}
    # A beam search works in the folder of its model.
    alone = locked(trained / paths.DECODE) if beam and model else nullcontext()
    opened = open_search(data, trained, beam, work=paths.search_dir(exp, name)) if beam else nullcontext()
    with locked(exp / paths.DECODE), alone, opened as search:
        if system:
            write_json(exp / paths.SYSTEM, system)
        if search and cluster:  # a worker is one process
            search = replace(search, workers=Processes())
        for set_name in set_names:
            identity = {"model": weights, "search": search.record if search else None, "audio": audio[set_name]}
            decoded = {**(search.decoded if search else DECODED_GREEDILY), "audio": str(data / set_name)}
            out = paths.decode_dir(exp, name, set_name)
            one = SetToDecode(data / set_name, out, trained, identity, decoded, search, device, batch_size)
            decode_set(one, cluster)
    return name
