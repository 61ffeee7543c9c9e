"""Options of a beam search: a decode configuration, a language model, tuned weights."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.configs import merge_configs
from spner.core.errors import SpnerError
from spner.core.files import fingerprint, read_json
from spner.core.resume import find_record
from spner.core.searches import name_search
from spner.core.training import chosen_checkpoint
from spner.decode.config import LEXICON, DecodeConfig, make_decode_config
from spner.lm.build import TOKEN, WORD


@dataclass(frozen=True)
class BeamOptions:
    """Options of a beam search, from the command line.

    Attributes:
        configs: decode configurations, the later ones on top.
        lm: folder of ``spner lm`` or an ARPA file; None searches without a language model.
        boost: list of names, see :mod:`spner.decode.biasing`.
        num_best: hypotheses to keep.
        num_workers: processes.

    Raises:
        SpnerError: there is no configuration.
    """

    configs: tuple[Path, ...]
    lm: Path | None
    boost: Path | None = None
    num_best: int = 1
    num_workers: int = 1

    def __post_init__(self) -> None:
        if not self.configs:
            raise SpnerError("--decode_config: is missing; give the configuration of a beam search, conf/decode_*.yaml")

    def name_search(self, model: Path, *, tuned: bool = False) -> str:
        """Return what the search is called with a model; ``tuned``: the one whose weights it takes."""
        return name_search(self.configs[-1], lm=self.lm, boost=None if tuned else self.boost, model=model)


def make_beam(
    configs: tuple[Path, ...], lm: Path | None, boost: Path | None, num_best: int, num_workers: int
) -> BeamOptions | None:
    """Return what the command line asks for; None for greedy search.

    Raises:
        SpnerError: it asks for what only a beam search can do.
    """
    if configs:
        return BeamOptions(configs, lm, boost, num_best, num_workers)
    if lm or boost or num_best > 1:
        raise SpnerError("--lm, --boost, --nbest: need a beam search; give --decode_config as well")
    return None


def read_options(options: BeamOptions) -> DecodeConfig:
    """Return the decode configuration.

    Raises:
        SpnerError: a file is missing, or a key or a value is wrong.
    """
    return make_decode_config(merge_configs(options.configs, []), where=" and ".join(map(str, options.configs)))


def find_arpa(lm: Path | None, config: DecodeConfig) -> Path | None:
    """Return the ARPA file of a language model.

    Raises:
        SpnerError: there is none, or it is of the other unit than the search's.
    """
    unit = WORD if config.search == LEXICON else TOKEN
    if lm is None:
        if config.search == LEXICON:
            raise SpnerError("--lm: is missing; a lexicon search takes its words from a model of spner lm --unit word")
        return None
    if lm.is_file():
        return lm
    if not (lm / paths.LM_RECORD).exists():
        raise SpnerError(f"{lm}: holds no finished language model; spner lm --unit {unit} makes it")
    found = read_json(lm / paths.LM_RECORD)["settings"]["unit"]
    if found != unit:
        raise SpnerError(
            f"{lm}: is a model of {found}s, but a search of kind {config.search} takes one of {unit}s; "
            f"make it with spner lm --unit {unit}"
        )
    return lm / paths.LM_ARPA


def identify_tuning(exp: Path, options: BeamOptions, config: DecodeConfig) -> dict[str, Any]:
    """Return what a search's weights were tuned for: recogniser, language model, configuration."""
    arpa = find_arpa(options.lm, config)
    model = fingerprint([exp / paths.CONFIG, chosen_checkpoint(exp)])
    lm = fingerprint([arpa]) if arpa else None
    return {"tuned_for": {"model": model, "lm": lm, "config": asdict(config)}}


def find_tuned(exp: Path, options: BeamOptions) -> Path | None:
    """Return the file of the weights that ``spner tune`` chose for a search, if it did."""
    tuned = paths.tuned_file(exp, options.name_search(exp, tuned=True))
    return tuned if tuned.exists() else None


def apply_tuned(exp: Path, options: BeamOptions, config: DecodeConfig) -> DecodeConfig:
    """Return the configuration with the weights that ``spner tune`` chose, if it did.

    Without a language model the only weight is the grammar's, which only has to be large enough.

    Raises:
        SpnerError: they were tuned for another recogniser, language model or configuration.
    """
    if options.lm is None:
        return replace(config, lm_weight=1.0)
    tuned = find_tuned(exp, options)
    if tuned is None:
        return config
    record = find_record(tuned, identify_tuning(exp, options, config))
    if record is None:
        raise SpnerError(
            f"{tuned}: was tuned for another recogniser, language model or configuration; "
            "run spner tune again, or remove it"
        )
    return replace(config, lm_weight=record["lm_weight"], word_score=record["word_score"])
