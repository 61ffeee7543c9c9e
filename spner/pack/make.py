"""``spner pack``: an experiment -> a folder or zip file that tags recordings without torch, data or training."""

import errno
import hashlib
import json
import logging
import shutil
import tempfile
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from spner import __version__
from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.files import atomic_path, atomic_text
from spner.core.provenance import TRAINING_PACKAGES, collect_versions, git_commit
from spner.core.training import beside_recipe, read_training
from spner.data.audio import read_stored
from spner.data.datadir import read_entities, read_sentences, read_table
from spner.decode.config import LEXICON
from spner.decode.grammar import write_search_model
from spner.decode.posteriors import AcousticModel
from spner.decode.recogniser import Recogniser, load_recogniser
from spner.pack.card import write_card
from spner.pack.quantise import add_quantised
from spner.pack.source import Source, read_source
from spner.pack.tagger import add_tagger
from spner.tag import pack_file
from spner.tag.pack_file import Content, Meta, Pack, TaggerMeta
from spner.tag.packed import load_opened
from spner.tagger.origin import read_origin
from spner.text.casing import count_casing, write_casing

MAX_DIFFERENCE = 1e-3  # of log posteriors, between the pack and the model
NUM_COMPARED = 8  # utterances of dev
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same inputs give the same bytes

log = logging.getLogger(__name__)


def make_pack(
    exp: Path, out: Path, *, search: str | None, int8: bool, licence: str | None, tagger: str | None = None
) -> str:
    """Write a pack; return a line that says what it is.

    Args:
        exp: experiment folder, decoded and scored.
        out: file that ends in ``.zip``, or folder.
        search: which of the experiment's searches; None where it has one.
        int8: adds a quantised model for CPUs, its loss measured on dev.
        licence: SPDX name for the model card.
        tagger: finds the names in what a recogniser of ``--system asr`` writes: token classifier, folder or hub name.

    Raises:
        SpnerError: ``out`` exists or cannot be written, the experiment is not decoded, or has a part that cannot be
            packed.
    """
    if out.exists():
        raise SpnerError(f"{out}: exists already; remove it, or give another --out")
    source = read_source(exp, search, tagger=tagger)
    with tempfile.TemporaryDirectory(prefix="spner_pack_") as temporary:
        folder = Path(temporary)
        try:
            difference = _fill(folder, source, int8=int8, licence=licence)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise SpnerError(f"{folder.parent}: is full, and packs are made there; make room, or set TMPDIR") from error
        size = sum(file.stat().st_size for file in folder.iterdir())
        with atomic_path(out) as target:
            if out.suffix == ".zip":
                _zip(folder, target)
            else:
                target.mkdir()
                for file in folder.iterdir():
                    shutil.copyfile(file, target / file.name)
    return f"{out}: {size / 1e6:.1f} MB unpacked, log posteriors within {difference:.0e} of torch's"


def _fill(folder: Path, source: Source, *, int8: bool, licence: str | None) -> float:
    """Write the files of a pack; return the largest difference of log posteriors between its graph and the model."""
    recogniser = load_recogniser(source.trained, device="cpu")
    _write_model(folder, source, recogniser)
    _write_search(folder, source)
    _write_casing(folder, source)
    tagger_meta = add_tagger(folder, source) if source.tagger else None
    meta = _make_meta(folder, source, recogniser, tagger_meta)
    pack = Pack(replace(meta, made_from=_describe(source)), folder)
    model = load_opened(pack, device="cpu")
    difference = _compare(source, recogniser, model.recogniser)
    made_from = {**pack.meta.made_from, "largest_difference": difference}
    if int8:
        made_from["int8"] = add_quantised(pack, source, model)
    write_card(folder / pack_file.CARD, source, made_from, licence)
    meta = _make_meta(folder, source, recogniser, tagger_meta)  # anew: with the digests of what came since
    _write_meta(replace(meta, made_from=made_from), folder)
    return difference


def _write_model(folder: Path, source: Source, recogniser: Recogniser) -> None:
    from spner.asr.export import export_model

    export_model(recogniser.model, folder / pack_file.MODEL)
    with atomic_text(folder / pack_file.TOKENS) as file:
        file.writelines(f"{token}\n" for token in recogniser.token_list)
    if source.config["bpemodel"]:
        shutil.copy(beside_recipe(Path(source.config["bpemodel"]), source.trained), folder / pack_file.PIECES)


def _write_search(folder: Path, source: Source) -> None:
    if source.decode_config:
        if source.decode_config.search == LEXICON and source.arpa:
            shutil.copy(source.arpa, folder / pack_file.SEARCH)
        else:
            write_search_model(folder / pack_file.SEARCH, source.arpa, source.config["token_list"])
    calibration = paths.calibration_file(source.exp, source.search)
    if calibration.exists():
        shutil.copy(calibration, folder / pack_file.CALIBRATION)
    else:
        log.warning("%s: has no calibration; the pack's confidences are raw (spner calibrate makes one)", source.exp)


def _write_casing(folder: Path, source: Source) -> None:
    train = source.train and source.train / paths.TRAIN
    if not train or not (train / paths.SENTENCES).exists() or not (train / paths.ENTITIES).exists():
        log.warning("%s: its training sentences are gone; the pack knows no capitals but names'", source.trained)
        return
    sentences, transcripts = read_sentences(train / paths.SENTENCES), read_entities(train / paths.ENTITIES)
    pairs = ((sentence, transcripts[utt_id]) for utt_id, sentence in sentences.items() if utt_id in transcripts)
    write_casing(folder / pack_file.CASING, count_casing(pairs, source.lang))


def _describe(source: Source) -> dict[str, Any]:
    """Return what the pack was made from."""
    training = read_training(source.trained)
    return {
        "spner": __version__,
        "commit": git_commit(),
        "versions": collect_versions([*TRAINING_PACKAGES, "onnx", "onnxruntime"]),
        "experiment": source.exp.name,
        "search": source.search,
        "trained_on": training["train"],
        "init": training["init"],
        "frontend": source.config["frontend_conf"],
        "tagger": source.tagger and {"name": source.tagger, "learnt_from": read_origin(source.tagger).text},
        "synthetic_speech": source.synthetic,
    }


def _compare(source: Source, recogniser: Recogniser, graph: AcousticModel) -> float:
    """Return the largest difference of log posteriors between the graph and the model, over some of dev.

    Raises:
        SpnerError: they differ.
    """
    dev = read_table(source.data / paths.DEV / paths.WAV_SCP)
    waveforms = [read_stored(source.find(location)) for location in list(dev.values())[:NUM_COMPARED]]
    pairs = zip(recogniser.log_probs(waveforms), graph.log_probs(waveforms), strict=True)
    largest = max((float(np.abs(a - b).max()) if a.shape == b.shape else np.inf for a, b in pairs), default=np.inf)
    if largest > MAX_DIFFERENCE:
        raise SpnerError(
            f"{source.trained}: the ONNX graph's log posteriors are {largest:.1e} off the model's (expected "
            f"{MAX_DIFFERENCE} at most); this PyTorch or ONNX Runtime does not export it"
        )
    return largest


def _make_meta(folder: Path, source: Source, recogniser: Recogniser, tagger: TaggerMeta | None) -> Meta:
    """Return what ``meta.yaml`` says of the files that are there."""
    contents = {}
    for name in pack_file.NAMES:
        if (folder / name).exists():
            with open(folder / name, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            contents[name] = Content((folder / name).stat().st_size, digest)
    return Meta(
        source.exp.name,
        source.lang,
        source.config["token_type"],
        recogniser.grid,
        source.decode_config,
        contents,
        made_from={},
        tagger=tagger,
    )


def _write_meta(meta: Meta, folder: Path) -> None:
    fields = {"schema": pack_file.SCHEMA, **asdict(replace(meta, tagger=None)), "frames": asdict(meta.grid)}
    del fields["grid"], fields["tagger"]
    if meta.tagger:
        fields["tagger"] = {**vars(meta.tagger), "labels": meta.tagger.labels.as_json()}
    text = yaml.safe_dump(_plain(fields), sort_keys=False, allow_unicode=True)
    (folder / pack_file.META).write_text(text, encoding="utf-8")


def _plain(value: Any) -> Any:
    """Return the value with lists for tuples, which YAML has no plain form for."""
    return json.loads(json.dumps(value))


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (pack_file.META, *pack_file.NAMES):
            if (folder / name).exists():
                entry = zipfile.ZipInfo(name, ZIP_TIME)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                with open(folder / name, "rb") as source, archive.open(entry, "w", force_zip64=True) as packed:
                    shutil.copyfileobj(source, packed)
