"""The hypotheses that belong to references: of the same utterances, or of the recordings that these are in."""

from pathlib import Path

from spner.scoring.cut import cut_side
from spner.scoring.inputs import Side, read_side, require_same_utterances
from spner.scoring.options import Options


def read_hyps(ref: Side, path: Path, options: Options, *, with_times: bool = False) -> Side:
    """Read hypotheses, and cut those of whole recordings.

    Raises:
        SpnerError: as :func:`spner.scoring.inputs.read_side` and :func:`spner.scoring.cut.cut_side`, or the two sides
            do not hold the same utterances.
    """
    hyp = read_side(path, options.rules, role="hyp", with_times=with_times)
    if options.utt2reco:
        return cut_side(ref, hyp, options.utt2reco)
    require_same_utterances(ref=ref, hyp=hyp)
    return hyp
