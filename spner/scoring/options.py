"""Options of scoring, how they are recorded, and the signature that they give."""

from dataclasses import dataclass, field
from pathlib import Path

from spner import __version__
from spner.core.provenance import collect_versions, git_commit
from spner.scoring.rules import Rules
from spner.scoring.schema import MadeWith
from spner.scoring.significance import SEED

NUM_DRAWS = 1000


@dataclass(frozen=True)
class Options:
    """Options of scoring; ``spner score --help`` describes each.

    Attributes:
        rules: how both sides are read.
        seen: the training entities, any form that :func:`spner.scoring.inputs.read_side` reads.
        num_draws: of the bootstrap; 0 leaves the intervals out.
        utt2spk: Kaldi's table; the bootstrap draws speakers instead of utterances.
        drop_empty_hyp: leave utterances with an empty hypothesis out of F1 and EER, as the paper did, not of the WER.
        utt2reco: Kaldi's table, the recording of each reference; hypotheses are those of recordings, and are cut.
        gold: whether the references are true entities, or pseudo-labels of a tagger; None if it is not stated. It
            is never guessed from files, and changes no number.
    """

    rules: Rules = field(default_factory=Rules)
    seen: Path | None = None
    num_draws: int = NUM_DRAWS
    utt2spk: Path | None = None
    drop_empty_hyp: bool = False
    gold: bool | None = None
    utt2reco: Path | None = None


def describe(options: Options) -> MadeWith:
    """Return what scores were made with, except the two sides."""
    rules = options.rules
    return {
        "commit": git_commit(),
        "versions": collect_versions(("jiwer", "numpy", "rapidfuzz")),
        "lang": rules.lang,
        "labels": list(rules.labels),
        "map": dict(rules.mapping),
        "discard": sorted(rules.discard),
        "policy": rules.policy,
        "split_s": rules.split_s,
        "seen": str(options.seen) if options.seen else None,
        "bootstrap": options.num_draws,
        "bootstrap_seed": SEED,
        "by_speaker": str(options.utt2spk) if options.utt2spk else None,
        "recordings": str(options.utt2reco) if options.utt2reco else None,
        "drop_empty_hyp": options.drop_empty_hyp,
    }


def sign(options: Options) -> str:
    """Return the signature: numbers with equal signatures can be compared.

    ``spner|v:0.1.0|norm:nl|labels:PER,ORG,LOC|policy:discard|refs:gold|boot:1000|seed:1``; options that are not used
    (renamed and discarded labels, a split ``'s``, cut recordings, dropped empty hypotheses, drawn speakers) are left
    out. After sacreBLEU's (Post 2018).
    """
    rules = options.rules
    fields = {
        "v": __version__,
        "norm": rules.lang or "none",
        "labels": ",".join(rules.labels),
        "map": ",".join(f"{old}>{new}" for old, new in sorted(rules.mapping.items())),
        "discard": ",".join(sorted(rules.discard)),
        "policy": rules.policy,
        "split": "'s" if rules.split_s else "",
        "cut": "aligned" if options.utt2reco else "",
        "empty": "dropped" if options.drop_empty_hyp else "",
        "refs": {True: "gold", False: "pseudo", None: "unstated"}[options.gold],
        "boot": str(options.num_draws),
        "by": "speaker" if options.utt2spk else "",
        "seed": str(SEED) if options.num_draws else "",
    }
    return "|".join(["spner", *(f"{name}:{value}" for name, value in fields.items() if value)])
