"""What an experiment's folder says that a pack needs: whose model, which search, which language model, what data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.files import fingerprint, read_json
from spner.core.searches import find_searches
from spner.core.training import (
    beside_recipe,
    chosen_checkpoint,
    read_config,
    read_pipeline,
    read_system,
    read_training,
)
from spner.data.datadir import read_labels
from spner.decode.config import DecodeConfig, make_decode_config
from spner.text.labels import LabelSet


@dataclass(frozen=True)
class Source:
    """An experiment that was decoded, at least its dev set.

    Attributes:
        exp: its folder.
        asr: folder of the recogniser's hypotheses: of a pipeline the experiment whose words were tagged, else ``exp``.
        trained: folder of the acoustic model's training, mostly ``exp``.
        config: of that training.
        search: the search's name.
        decode_config: its settings; None for greedy search.
        arpa: its language model; None without one.
        data: data folder whose dev set was decoded.
        train: data folder of the training; None where it is gone.
        tagger: of a pipeline: folder or hub name.
        labels: that a tagger finds, and its names for them.
    """

    exp: Path
    asr: Path
    trained: Path
    config: dict[str, Any]
    search: str
    decode_config: DecodeConfig | None
    arpa: Path | None
    data: Path
    train: Path | None
    tagger: str | None
    labels: LabelSet

    @property
    def lang(self) -> str:
        """ISO 639-1 code of the data that was decoded."""
        return read_json(self.data / paths.REPORT)["settings"]["lang"]

    @property
    def synthetic(self) -> bool:
        """Whether the speech it was trained on is synthetic."""
        return bool(self.train and read_json(self.train / paths.REPORT)["synthetic"])

    def find(self, location: str) -> str:
        """Return a place of ``wav.scp``, which is relative to the recipe's folder, as seen from here."""
        ark, colon, offset = location.rpartition(":")
        return (
            f"{beside_recipe(Path(ark), self.exp)}:{offset}" if colon else str(beside_recipe(Path(location), self.exp))
        )


def read_source(exp: Path, search: str | None, *, tagger: str | None = None) -> Source:
    """Read an experiment's records.

    Args:
        exp: experiment folder of stages 4 and 5.
        search: which of its searches; None where it has one.
        tagger: finds the names in what a model without entity symbols writes.

    Raises:
        SpnerError: dev is not decoded, several searches are there, a file is not the one that dev was decoded with, or
            a tagger is given and the experiment has one.
    """
    own, asr = read_pipeline(exp)
    if own and tagger:
        raise SpnerError(f"--tagger {tagger}: {exp} is a pipeline with a tagger of its own, {own}; leave --tagger out")
    trained = asr
    while system := read_system(trained):
        trained = beside_recipe(Path(system["model"]), trained)
    training = read_training(trained)
    search = _choose(exp, search)
    record_file = paths.decode_dir(exp, search, paths.DEV) / paths.DECODE_RECORD
    if not record_file.exists():
        raise SpnerError(f"{record_file.parent}: holds no finished hypotheses; {paths.STAGE_5} makes them")
    record = read_json(record_file)
    if record["model"] != fingerprint([trained / paths.CONFIG, chosen_checkpoint(trained)]):
        raise SpnerError(f"{record_file}: another model than {trained}'s decoded dev; rerun stage 5")
    settings = record["search"]
    train = beside_recipe(Path(training["train"][0]["data"]), trained)
    data = beside_recipe(Path(record["decoded"]["audio"]).parent, exp)
    return Source(
        exp=exp,
        asr=asr,
        trained=trained,
        config=read_config(trained),
        search=search,
        decode_config=make_decode_config(settings["config"], where=record_file) if settings else None,
        arpa=_find_arpa(asr, search, record, record_file) if settings else None,
        data=data,
        train=train if (train / paths.REPORT).exists() else None,
        tagger=own or tagger,
        labels=LabelSet.from_json(record["labels"]) if own else read_labels(data),
    )


def _choose(exp: Path, search: str | None) -> str:
    found = find_searches(exp, search)
    if len(found) > 1:
        raise SpnerError(f"{exp}: was decoded with the searches {', '.join(found)}; say which: --search {found[-1]}")
    return found[0]


def _find_arpa(asr: Path, search: str, record: dict[str, Any], where: Path) -> Path | None:
    """Return the language model that dev was decoded with; None without one."""
    if record["search"]["lm"] is None:
        return None
    lm = beside_recipe(Path(record["decoded"]["lm"]), asr)
    if record["decoded"]["names"]:
        lm = paths.search_dir(asr, search) / "boost"
    arpa = lm if lm.is_file() else lm / paths.LM_ARPA
    if not arpa.exists() or fingerprint([arpa]) != record["search"]["lm"]:
        raise SpnerError(f"{arpa}: is not the language model that dev was decoded with ({where}); rerun stage 5")
    return arpa
