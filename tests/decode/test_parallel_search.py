"""Stage 5 with a beam search: a tiny model, its language model, tuned weights, boosted names, and input that is bad."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from spner.core import paths
from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError
from spner.core.files import read_json
from spner.data.datadir import read_table
from spner.text.tags import text_to_spans
from tests.prepared import Prepared

pytest.importorskip("flashlight.lib.text.decoder", reason="flashlight-text has no wheel for this Python")
pytestmark = pytest.mark.espnet

SETTINGS = [
    "max_epoch=1",
    "encoder_conf.num_blocks=1",
    "encoder_conf.output_size=32",
    "encoder_conf.linear_units=32",
    "batch_bins=100000",
    "optim_conf.lr=0.005",
]


@pytest.fixture(scope="module")
def exp(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A tiny trained model; tests that decode share its folder."""
    from spner.asr.train import train

    exp = tmp_path_factory.mktemp("beam") / "exp"
    configs = [repo_root / "conf" / "train_mini.yaml"]
    train(prepared.data, prepared.dump, exp, configs=configs, settings=SETTINGS, ngpu=0)
    return exp


@pytest.fixture(scope="module")
def lms(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The language model of each configuration."""
    from spner.lm.build import make_lm

    folder = tmp_path_factory.mktemp("lms")
    make_lm(prepared.dump, folder / "token", unit="token", order=6)
    make_lm(prepared.dump, folder / "word", unit="word", order=3)
    return {"decode_lm": folder / "token", "decode_lexicon": folder / "word", "none": None}


def options(repo_root: Path, lm: Path | None, name: str = "decode_lm", **others: object):
    from spner.decode.beam_options import BeamOptions

    return BeamOptions((repo_root / "conf" / f"{name}.yaml",), lm, **others)


def decode(prepared: Prepared, exp: Path, beam, *, batch_size: int = 8, sets: tuple[str, ...] = ("test",)) -> str:
    """Decode anew and return the text of the last set."""
    from spner.decode.decode import decode_sets

    for record in (exp / paths.DECODE).glob(f"*/*/{paths.DECODE_RECORD}"):
        record.unlink()
    search = decode_sets(prepared.data, exp, sets, device="cpu", batch_size=batch_size, beam=beam)
    return (paths.decode_dir(exp, search, sets[-1]) / paths.TEXT).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["decode_lm", "decode_lexicon", "none"])
def test_the_text_is_the_same_for_every_batch_size_and_number_of_processes(
    prepared: Prepared, exp: Path, lms: dict[str, Path], repo_root: Path, name: str
) -> None:
    configuration = "decode_lexicon" if name == "decode_lexicon" else "decode_lm"
    texts = [
        decode(prepared, exp, options(repo_root, lms[name], configuration, num_workers=num_workers), batch_size=size)
        for size, num_workers in ((1, 1), (8, 1), (32, 1), (8, 2))
    ]
    assert len(texts[0].splitlines()) == 20
    assert texts[1:] == texts[:1] * 3
    assert not any(text_to_spans(line.split()[1:], labels=LABELS).illegal for line in texts[0].splitlines())


def test_nbest_lists_begin_with_the_hypothesis_and_go_when_they_are_not_asked_for(
    prepared: Prepared, exp: Path, lms: dict[str, Path], repo_root: Path
) -> None:
    decode(prepared, exp, options(repo_root, lms["decode_lm"], num_best=5))
    folder = paths.decode_dir(exp, "lm_with_token", "test")
    text = read_table(folder / paths.TEXT)
    records = [json.loads(line) for line in (folder / paths.NBEST).read_text(encoding="utf-8").splitlines()]
    assert [record["utt_id"] for record in records] == list(text)
    for record in records:
        assert record["nbest"][0]["text"] == text[record["utt_id"]] and 1 <= len(record["nbest"]) <= 5
        assert {"score", "ctc_score", "lm_score"} < record["nbest"][0].keys()
    decode(prepared, exp, options(repo_root, lms["decode_lm"]))
    assert not (folder / paths.NBEST).exists()


def test_a_finished_search_is_not_run_again_and_another_one_is(
    prepared: Prepared, exp: Path, lms: dict[str, Path], repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spner.decode import decode as decoding
    from spner.decode import sharded

    decode(prepared, exp, options(repo_root, lms["decode_lm"]))
    monkeypatch.setattr(sharded, "_load", lambda *_arguments, **_options: pytest.fail("decoded again"))
    decoding.decode_sets(
        prepared.data,
        exp,
        ["test"],
        device="cpu",
        batch_size=8,
        beam=options(repo_root, lms["decode_lm"], num_workers=2),
    )
    for other in (None, options(repo_root, None), options(repo_root, lms["decode_lm"], num_best=2)):
        with pytest.raises(pytest.fail.Exception, match="decoded again"):
            decoding.decode_sets(prepared.data, exp, ["test"], device="cpu", batch_size=8, beam=other)


def test_weights_are_tuned_on_dev_and_taken_for_what_they_were_tuned_for(
    prepared: Prepared, exp: Path, lms: dict[str, Path], repo_root: Path, tmp_path: Path
) -> None:
    from spner.decode.tune import format_tuned, tune

    own = shutil.copytree(exp, tmp_path / "exp")
    beam = options(repo_root, lms["decode_lexicon"], "decode_lexicon", num_workers=2)
    record = tune(prepared.data, own, beam, device="cpu", batch_size=8)
    assert len(record["grid"]) == 5 * 3
    best = min(record["grid"], key=lambda row: (-row["f1"], row["wer"]))
    assert (record["lm_weight"], record["word_score"]) == (best["lm_weight"], best["word_score"])
    assert format_tuned(record).count("chosen") == 1
    assert tune(prepared.data, own, beam, device="no such device", batch_size=8) == record, "not tuned again"

    decode(prepared, own, beam)
    searched = read_json(paths.decode_dir(own, "lexicon_with_word", "test") / "decode.json")["search"]["config"]
    assert (searched["lm_weight"], searched["word_score"]) == (best["lm_weight"], best["word_score"])

    shutil.copytree(lms["decode_lexicon"], tmp_path / "word")
    arpa = tmp_path / "word" / paths.LM_ARPA
    arpa.write_text(arpa.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(SpnerError, match="was tuned for another recogniser, language model or configuration"):
        decode(prepared, own, options(repo_root, tmp_path / "word", "decode_lexicon"))


def test_boosted_names_enter_the_language_model(
    prepared: Prepared, exp: Path, lms: dict[str, Path], repo_root: Path, tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("Terneuzen\tLOC\n", encoding="utf-8")
    decode(prepared, exp, options(repo_root, lms["decode_lm"], boost=names))
    boosted = exp / "decode" / "lm_with_token_boost_names" / "boost"
    mentions = (boosted / "mentions.txt").read_text(encoding="utf-8").splitlines()
    assert mentions and all("<LOC> terneuzen </NE>" in line for line in mentions)
    record = read_json(paths.decode_dir(exp, "lm_with_token_boost_names", "test") / "decode.json")
    assert record["decoded"]["names"] == {"file": str(names), "num": 1}
    decode(prepared, exp, options(repo_root, lms["decode_lm"]))
    plain = read_json(paths.decode_dir(exp, "lm_with_token", "test") / "decode.json")
    assert plain["search"]["lm"] != record["search"]["lm"] and plain["decoded"]["names"] is None


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no model", r"holds no finished language model; spner lm --unit token makes it"),
        ("other unit", r"is a model of words, but a search of kind open takes one of tokens"),
        ("other vocabulary", r'holds "\w+", which is no token of this recogniser; estimate it with spner lm'),
        ("cut short", r"breaks off among the \d-grams \(expected \\end\\\); make it again with spner lm"),
        ("beam of 0", r"beam_size: 0 \(expected 1 or more\)"),
        ("unknown key", r'unknown key "beam"; did you mean "beam_size"\?'),
        ("no words", r"--lm: is missing; a lexicon search takes its words from a model of spner lm --unit word"),
        ("boost without model", r"biasing needs a language model; give --lm"),
    ],
)
def test_a_search_that_cannot_be_made_is_one_line_before_anything_is_encoded(
    prepared: Prepared,
    exp: Path,
    lms: dict[str, Path],
    repo_root: Path,
    tmp_path: Path,
    case: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from spner.decode import sharded
    from spner.decode.beam_options import BeamOptions

    text = (lms["decode_lm"] / paths.LM_ARPA).read_text(encoding="utf-8")
    (tmp_path / "cut.arpa").write_text(text[: len(text) // 2].rpartition("\n")[0], encoding="utf-8")
    shutil.copy(lms["decode_lexicon"] / paths.LM_ARPA, tmp_path / "words.arpa")
    (tmp_path / "zero.yaml").write_text("beam_size: 0\n")
    (tmp_path / "unknown.yaml").write_text("beam: 3\n")
    (tmp_path / "names.txt").write_text("Oslo\n")
    shared = repo_root / "conf" / "decode_lm.yaml"
    beam = {
        "no model": options(repo_root, tmp_path),
        "other unit": options(repo_root, lms["decode_lexicon"]),
        "other vocabulary": options(repo_root, tmp_path / "words.arpa"),
        "cut short": options(repo_root, tmp_path / "cut.arpa"),
        "beam of 0": BeamOptions((shared, tmp_path / "zero.yaml"), None),
        "unknown key": BeamOptions((shared, tmp_path / "unknown.yaml"), None),
        "no words": options(repo_root, None, "decode_lexicon"),
        "boost without model": options(repo_root, None, boost=tmp_path / "names.txt"),
    }[case]
    monkeypatch.setattr(sharded, "_load", lambda *_arguments, **_options: pytest.fail("encodes"))
    with pytest.raises(SpnerError, match=message) as raised:
        decode(prepared, exp, beam)
    assert "\n" not in str(raised.value)
    assert not (exp / "decode" / ".search").exists()


def test_clips_of_20_ms_and_of_silence_are_searched(
    exp: Path, lms: dict[str, Path], repo_root: Path, tmp_path: Path
) -> None:
    from spner.decode.beam_options import read_options
    from spner.decode.parallel_search import prepare_search
    from spner.decode.plan import build_search
    from spner.decode.recogniser import load_recogniser

    recogniser = load_recogniser(exp, device="cpu")
    waveforms = [np.zeros(320, np.float32), np.zeros(0, np.float32), np.zeros(32000, np.float32)]
    with prepare_search(exp, lms["decode_lm"] / paths.LM_ARPA, read_options(options(repo_root, None))) as plan:
        for log_probs in recogniser.log_probs(waveforms):
            assert build_search(plan)(log_probs)


@pytest.mark.parametrize("greedy", [True, False])
def test_an_empty_set_gives_empty_files(
    prepared: Prepared, exp: Path, lms: dict[str, Path], repo_root: Path, tmp_path: Path, greedy: bool
) -> None:
    data = shutil.copytree(prepared.data, tmp_path / "data", ignore=shutil.ignore_patterns("audio"))
    for name in (paths.WAV_SCP, paths.UTT2DUR):
        (data / "test" / name).write_text("")
    beam = None if greedy else options(repo_root, lms["decode_lm"], num_workers=2, num_best=3)
    assert decode(Prepared(data, prepared.dump), exp, beam) == ""
    assert (paths.decode_dir(exp, "greedy" if greedy else "lm_with_token", "test") / paths.ENTITIES).read_text() == ""
