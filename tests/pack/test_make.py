"""An experiment packed and opened again: the same texts, entities and times as torch gives."""

import errno
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spner
from spner.core import paths
from spner.core.datatypes import LABELS, Transcript
from spner.core.errors import SpnerError
from spner.core.files import write_json
from spner.data.audio import read_stored
from spner.data.datadir import read_table, read_timed_entities
from spner.decode.hypotheses import read_hypotheses
from spner.tag import pack_file
from spner.tag.build import build_segment
from spner.tag.pack_file import open_pack
from spner.tag.tagged import Tagged
from spner.text.casing import read_casing
from spner.text.labels import LabelSet
from spner.text.tags import bio_tags
from tests.decode.test_parallel_search import SETTINGS, options
from tests.prepared import Prepared

pytestmark = pytest.mark.espnet
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("flashlight.lib.text.decoder", reason="flashlight-text has no wheel for this Python")


@pytest.fixture(scope="module")
def exp(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A tiny model, decoded with its language model and calibrated."""
    from spner.asr.train import train
    from spner.decode.calibrate import calibrate_sets
    from spner.decode.decode import decode_sets
    from spner.lm.build import make_lm

    exp = tmp_path_factory.mktemp("packed") / "exp"
    configs = [repo_root / "conf" / "train_mini.yaml"]
    train(prepared.data, prepared.dump, exp, configs=configs, settings=SETTINGS, ngpu=0)
    make_lm(prepared.dump, exp / "lm", unit="token", order=6)
    beam = options(repo_root, exp / "lm")
    assert decode_sets(prepared.data, exp, ["dev", "test"], device="cpu", batch_size=8, beam=beam) == "lm"
    calibrate_sets(prepared.data, exp, "lm")
    return exp


@pytest.fixture(scope="module")
def packed(exp: Path) -> Path:
    """The model as a zip file, with a quantised copy."""
    from spner.pack.make import make_pack

    make_pack(exp, exp.with_name("tiny.zip"), search=None, int8=True, licence="cc0-1.0")
    return exp.with_name("tiny.zip")


@pytest.fixture(scope="module")
def whole(exp: Path) -> Path:
    """The model as a folder, without a quantised copy."""
    from spner.pack.make import make_pack

    said = make_pack(exp, exp.with_name("tiny"), search="lm", int8=False, licence=None)
    assert said.startswith(f"{exp.with_name('tiny')}: ") and "of torch's" in said
    return exp.with_name("tiny")


def test_texts_entities_times_and_confidences_are_those_of_torch(prepared: Prepared, exp: Path, whole: Path) -> None:
    from spner.data.tokens import find_labels, tokens_to_words
    from spner.decode.alignment import time_hypothesis
    from spner.tag.packed import load_pack
    from spner.text.tags import text_to_spans

    model = load_pack(whole, device="cpu")
    assert model.lang == "nl" and model.writes_entities and model.calibration
    transcripts, timings = read_timed_entities(paths.decode_dir(exp, "lm", "test") / paths.ENTITIES)
    assert len(transcripts) == 20 and timings
    tokens = model.recogniser.token_list
    for utt_id, location in read_table(prepared.data / "test" / paths.WAV_SCP).items():
        waveform = read_stored(location)
        (log_probs,) = model.recogniser.log_probs([waveform])
        best = model.search(log_probs)[0].token_ids
        found = text_to_spans(tokens_to_words(tokens[i] for i in best), labels=find_labels(tokens)).transcript
        assert found == transcripts[utt_id]
        grid, duration_s = model.recogniser.grid, len(waveform) / 16_000
        timing = time_hypothesis(log_probs, best, tokens, found.entities, grid=grid, duration_s=duration_s)
        if timing:
            timed, expected = model.calibration.apply(timing), timings[utt_id]
            np.testing.assert_allclose(np.ravel(timed.word_times), np.ravel(expected.word_times), atol=1e-3)
            assert timed.word_confidences == pytest.approx(expected.word_confidences, abs=2e-3)
            assert timed.entity_confidences == pytest.approx(expected.entity_confidences, abs=2e-3)


@pytest.fixture(scope="module")
def tagger(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that was never trained: its tags depend on every weight."""
    import torch
    from transformers import AutoModelForTokenClassification

    from spner.tagger.small import small_config, train_tokenizer

    folder = tmp_path_factory.mktemp("tagger")
    tokenizer = train_tokenizer(read_table(prepared.data / "train" / paths.TEXT).values())
    torch.manual_seed(1)
    AutoModelForTokenClassification.from_config(small_config(tokenizer, bio_tags(LABELS))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_pipelines_entities_and_confidences_are_those_of_torch(prepared: Prepared, exp: Path, tagger: Path) -> None:
    from spner.decode.calibrate import calibrate_sets
    from spner.decode.pipeline import tag_sets
    from spner.pack.make import make_pack

    pipeline, out = exp.with_name("pipeline"), exp.with_name("pipeline.zip")
    tag_sets(exp, pipeline, ["dev", "test"], tagger=str(tagger), labels=LabelSet(), device="cpu")
    raw = read_hypotheses(paths.decode_dir(pipeline, "lm", "test"))
    calibrate_sets(prepared.data, pipeline, "lm")
    make_pack(pipeline, out, search=None, int8=False, licence=None)
    with open_pack(out) as pack:
        assert f"A text tagger, `{tagger.name}`, finds the names" in (pack.folder / pack_file.CARD).read_text()
    expected, timings = read_timed_entities(paths.decode_dir(pipeline, "lm", "test") / paths.ENTITIES)
    tag_text = spner.load(out, device="cpu").tag_text
    assert tag_text and sum(len(one.entities) for one in expected.values()) > 10
    for utt_id in (utt_id for utt_id, transcript in expected.items() if transcript.words and utt_id in timings):
        words = replace(raw[1][utt_id], entity_confidences=())
        segment = build_segment(Transcript(raw[0][utt_id].words), words)
        tagged = tag_text(Tagged(utt_id, 5.0, (segment,)))
        found = [(entity.label, entity.text) for entity in tagged.entities]
        assert found == [(entity.label, expected[utt_id].phrase(entity)) for entity in expected[utt_id].entities]
        confidences = [one.confidence for one in (*tagged.words, *tagged.entities)]
        calibrated = (*timings[utt_id].word_confidences, *timings[utt_id].entity_confidences)
        assert confidences == pytest.approx(calibrated, abs=1e-3)


def test_a_recogniser_gets_a_tagger_and_a_pipeline_no_second_one(exp: Path, tagger: Path) -> None:
    from spner.pack.make import make_pack

    make_pack(exp, exp.with_name("two"), search=None, int8=False, licence=None, tagger=str(tagger))
    assert (exp.with_name("two") / pack_file.TOKENIZER).exists()
    write_json(exp.with_name("pipe") / paths.SYSTEM, {"model": str(exp), "tagger": "a"})
    with pytest.raises(SpnerError, match="--tagger b: .* is a pipeline with a tagger of its own, a; leave"):
        make_pack(exp.with_name("pipe"), exp.with_name("no"), search=None, int8=False, licence=None, tagger="b")


def test_the_same_model_gives_the_same_bytes(exp: Path, packed: Path, tmp_path: Path) -> None:
    from spner.pack.make import make_pack

    make_pack(exp, tmp_path / "again.zip", search=None, int8=True, licence="cc0-1.0")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_the_quantised_graph_is_the_one_that_a_cpu_runs(packed: Path, whole: Path) -> None:
    from spner.tag.packed import load_pack

    with zipfile.ZipFile(packed) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    assert sizes[pack_file.MODEL_INT8] < sizes[pack_file.MODEL]
    waveform = np.random.default_rng(0).normal(0, 0.05, 32_000).astype(np.float32)
    (one,), (other,) = (load_pack(path, device="cpu").recogniser.log_probs([waveform]) for path in (packed, whole))
    assert 0 < np.abs(one - other).max() < 1.0


def test_the_pack_knows_the_capitals_of_its_training_sentences(whole: Path) -> None:
    casing = read_casing(whole / pack_file.CASING)
    assert casing.in_names and all(form.lower() == word for word, form in casing.in_names.items())
    assert any(form[0].isupper() for form in casing.in_names.values())


def test_the_card_tells_data_licence_and_the_quantised_graph(packed: Path, whole: Path) -> None:
    with open_pack(packed) as pack:
        card = (pack.folder / pack_file.CARD).read_text(encoding="utf-8")
    assert card.startswith("---\nlanguage: nl\nlicense: cc0-1.0\n")
    assert re.search(r"- `\S+`: \d+ utterances, 0\.\d\d h, synthetic speech", card) and "The quantised graph" in card
    card = (whole / pack_file.CARD).read_text(encoding="utf-8")
    assert "license_name: not stated" in card and "The quantised graph" not in card


@pytest.mark.parametrize("place", ["tagger.export_tagger", "make._zip"])
def test_a_full_disk_is_one_line_and_nothing_half_written(
    exp: Path, tagger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """While files are made, and while they are copied into place."""
    from spner.pack.make import make_pack

    def write(_: object, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"spner.pack.{place}", write)
    with pytest.raises(SpnerError, match=r"is full, and packs|cannot be written \(No space left") as error:
        make_pack(exp, tmp_path / "pack.zip", search=None, int8=False, licence=None, tagger=str(tagger))
    assert "\n" not in str(error.value) and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "search", "why"),
    [
        pytest.param("tiny.zip", None, "exists already; remove it, or give another --out", id="an output that exists"),
        pytest.param("new.zip", "greedy", "--search greedy: ", id="a search that was not made"),
    ],
)
def test_nothing_is_written_over_or_guessed(exp: Path, packed: Path, name: str, search: str | None, why: str) -> None:
    from spner.pack.make import make_pack

    before = packed.read_bytes()
    with pytest.raises(SpnerError, match=why):
        make_pack(exp, exp.with_name(name), search=search, int8=False, licence=None)
    assert packed.read_bytes() == before and not exp.with_name("new.zip").exists()
