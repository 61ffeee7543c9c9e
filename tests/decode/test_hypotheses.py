"""A folder of hypotheses holds those of one system, and a set's files are written once."""

import json
from pathlib import Path

import pytest

from spner.core import paths
from spner.core.datatypes import Timing, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json, write_json
from spner.decode.hypotheses import Hypotheses, refuse_other_system, write_once

DECODED = {"search": "lm", "kind": "open", "audio": "data/mini/test"}
ZERO_SHOT, PIPELINE = {"model": "../cv_de/exp/x"}, {"model": "exp/mini_asr", "tagger": "t"}


@pytest.mark.parametrize(
    ("found", "system", "told"),
    [
        pytest.param(None, ZERO_SHOT, None, id="empty folder"),
        pytest.param(ZERO_SHOT, ZERO_SHOT, None, id="the same again"),
        pytest.param(PIPELINE, {**PIPELINE, "tagger": "u"}, None, id="another tagger"),
        pytest.param(ZERO_SHOT, None, "--model ../cv_de/exp/x", id="a training's decoding"),
        pytest.param(PIPELINE, None, "--asr exp/mini_asr", id="a training's decoding, of a pipeline's folder"),
        pytest.param(ZERO_SHOT, {"model": "exp/y"}, "--model ../cv_de/exp/x", id="another model"),
        pytest.param(ZERO_SHOT, {**ZERO_SHOT, "tagger": "t"}, "--model ../cv_de/exp/x", id="pipeline of its model"),
        pytest.param(PIPELINE, {"model": "exp/mini_asr"}, "--asr exp/mini_asr", id="the pipeline's recogniser"),
        pytest.param(PIPELINE, {**PIPELINE, "model": "exp/b"}, "--asr exp/mini_asr", id="another recogniser"),
    ],
)
def test_a_folder_holds_hypotheses_of_one_system(
    tmp_path: Path, found: dict[str, str] | None, system: dict[str, str] | None, told: str | None
) -> None:
    if found:
        write_json(tmp_path / paths.SYSTEM, found)
    if told is None:
        refuse_other_system(tmp_path, system)
        return
    with pytest.raises(SpnerError) as error:
        refuse_other_system(tmp_path, system)
    assert str(error.value) == f"{tmp_path}: holds hypotheses of {told}; give that, or another --tag"


@pytest.mark.parametrize("system", [ZERO_SHOT, PIPELINE])
def test_a_folder_with_a_training_takes_its_own_hypotheses_only(tmp_path: Path, system: dict[str, str]) -> None:
    (tmp_path / paths.CONFIG).touch()
    refuse_other_system(tmp_path, None)
    with pytest.raises(SpnerError) as error:
        refuse_other_system(tmp_path, system)
    assert str(error.value) == (
        f"{tmp_path}: holds a training of its own (expected a folder for hypotheses of {system['model']} alone); "
        "give another --tag"
    )


def test_a_set_is_decoded_once_and_again_when_its_identity_or_its_files_change(tmp_path: Path) -> None:
    decoded: list[int] = []
    folder = paths.decode_dir(tmp_path, "lm", "test")

    def decode() -> Hypotheses:
        decoded.append(1)
        return Hypotheses(
            {"b": "ja", "a": ""}, {"b": Transcript(("ja",)), "a": Transcript(())}, {"a": Timing((), (), ())}
        )

    def write(**identity: object) -> None:
        write_once(folder, {"model": "m", "audio": "a", **identity}, decode, decoded=DECODED)

    write()
    write()
    assert len(decoded) == 1
    assert (folder / paths.TEXT).read_text() == "a\nb ja\n"
    assert (folder / paths.RAW_CONFIDENCES).read_text() == '{"utt_id": "a", "words": [], "entities": []}\n'
    write(search=None)
    assert len(decoded) == 2 and read_json(folder / paths.DECODE_RECORD) == {
        **{"model": "m", "audio": "a", "search": None},
        "decoded": {**DECODED, "num_utts": 2},
    }
    for name in (paths.TEXT, paths.ENTITIES, paths.RAW_CONFIDENCES):
        (folder / name).unlink()
        write(search=None)
    assert len(decoded) == 5


def test_several_hypotheses_of_an_utterance_go_when_they_are_not_there_any_more(tmp_path: Path) -> None:
    folder = paths.decode_dir(tmp_path, "lm", "test")
    best = {"a": [{"text": "ja", "score": 0.5}, {"text": "nee", "score": 0.25}]}
    hyps = Hypotheses({"a": "ja"}, {"a": Transcript(("ja",))}, {})
    write_once(
        folder,
        {"audio": "a", "num_best": 2},
        lambda: Hypotheses(hyps.texts, hyps.transcripts, {}, best),
        decoded=DECODED,
        nbest=True,
    )
    file = folder / paths.NBEST
    file.unlink()
    again = Hypotheses(hyps.texts, hyps.transcripts, {}, best)
    write_once(folder, {"audio": "a", "num_best": 2}, lambda: again, decoded=DECODED, nbest=True)
    assert json.loads(file.read_text()) == {"utt_id": "a", "nbest": best["a"]}
    write_once(folder, {"audio": "a", "num_best": 1}, lambda: hyps, decoded=DECODED)
    assert not file.exists()


def test_hypotheses_of_other_audio_are_never_replaced(tmp_path: Path) -> None:
    """One clip of the user's own, decoded into a finished experiment."""
    exp = tmp_path / "exp" / "mini_e2e"
    folder = paths.decode_dir(exp, "lm", "test")
    hyps = Hypotheses({"a": "ja"}, {"a": Transcript(("ja",))}, {})
    write_once(folder, {"model": "m", "audio": "150 utterances"}, lambda: hyps, decoded=DECODED)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    own = {**DECODED, "audio": "data/own/test"}
    with pytest.raises(SpnerError) as error:
        write_once(folder, {"model": "m", "audio": "1 utterance"}, pytest.fail, decoded=own)
    assert str(error.value) == (
        f"{folder}: holds hypotheses of other audio (1 utterances of data/mini/test; expected data/own/test, as it is "
        f"now); decode into another folder (--exp exp/NAME --model {exp}), or remove this one"
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_hypotheses_that_are_replaced_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = paths.decode_dir(tmp_path, "lm", "test")
    for search in ({"weights": (1.0,)}, {"weights": (1.0,)}, {"weights": (2.0,)}):
        hyps = Hypotheses({"a": "ja"}, {"a": Transcript(("ja",))}, {})
        write_once(folder, {"audio": "a", "search": search}, lambda hyps=hyps: hyps, decoded=DECODED)
    assert caplog.messages == [f"{folder}: decodes anew, in place of hypotheses of another search"]
