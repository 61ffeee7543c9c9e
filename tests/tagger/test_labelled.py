"""What a tagger of recognised words learns from: the utterances of the E2E system, and which tagger it starts from."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from spner.core import paths
from spner.core.datatypes import LABELS, Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json, write_json
from spner.data.datadir import read_table, write_entities, write_table
from spner.data.tokens import make_tokens, tighten
from spner.tagger.annotate import DEFAULT_TAGGERS, UNTAGGED
from spner.tagger.labelled import Labelled, choose_start, read_utterances, require_one_source
from spner.text.tags import entity_symbols, spans_to_text

DUTCH = {f"nl-{n}": Transcript(("anna", f"één{n}"), (Entity(0, 1, "PER"),)) for n in range(10)}
GERMAN = {"de-1": Transcript(("köln",), (Entity(0, 1, "LOC"),)), "de-2": Transcript(("straße",))}
DEV = {"dev-1": Transcript(("dag", "anna"), (Entity(1, 2, "PER"),))}


def write_data(folder: Path, train: dict[str, Transcript], *, tagger: str | None = "exp/tagger_mini") -> Path:
    for name, utterances in {"train": train, "dev": DEV}.items():
        write_table(folder / name / paths.TEXT, {u: " ".join(a.words) for u, a in utterances.items()})
        write_table(folder / name / paths.UTT2DUR, dict.fromkeys(utterances, "1.0"))
        write_table(folder / name / paths.WAV_SCP, {u: f"data/mini/audio/{name}/0.ark:{u}" for u in utterances})
        write_entities(folder / name / paths.ENTITIES, utterances)
        write_json(folder / name / paths.ANNOTATE_RECORD, {"tagger": tagger})
    write_json(folder / paths.REPORT, {"sets": {"train": {}, "dev": {}}, "settings": {"lang": "nl"}})
    return folder


@pytest.fixture
def nl(tmp_path: Path) -> Path:
    return write_data(tmp_path / "cv_nl" / "data" / "mini", DUTCH)


@pytest.fixture
def de(tmp_path: Path) -> Path:
    return write_data(tmp_path / "cv_de" / "data" / "mini", GERMAN)


def tagged(labelled: Labelled, set_name: str) -> list[str]:
    return sorted(tighten(spans_to_text(one), entity_symbols(LABELS)) for one in labelled.sets[set_name])


@pytest.mark.parametrize(("fraction", "with_german"), [(100.0, False), (30.0, False), (30.0, True)])
def test_the_tagger_learns_from_the_very_utterances_of_the_e2e_system(
    nl: Path, de: Path, tmp_path: Path, fraction: float, with_german: bool
) -> None:
    joined: Sequence[Path] = [de.parents[1]] if with_german else []
    record = make_tokens(nl, tmp_path / "dump", fraction=fraction, joined=joined)
    labelled = read_utterances(nl, fraction=fraction, joined=joined)
    assert tagged(labelled, "train") == sorted(read_table(tmp_path / "dump/train/text").values())
    assert len(labelled.sets["train"]) == round(fraction / 10) + 2 * with_german
    assert tagged(labelled, "dev") == ["dag <PER>anna</NE>"]
    assert labelled.counts == record["train"]
    train_files = [folder / "train" / paths.ENTITIES for folder in (nl, *([de] if with_german else []))]
    assert labelled.files == {"train": train_files, "dev": [nl / "dev" / paths.ENTITIES]}


def test_a_dev_set_without_labels_selects_no_epoch(nl: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    write_entities(nl / "dev" / paths.ENTITIES, {"dev-1": Transcript(("dag", "anna"))})
    labelled = read_utterances(nl)
    assert labelled.sets["dev"] == labelled.files["dev"] == []
    assert caplog.messages == [f"{nl}/dev: nothing is labelled, so the last epoch is kept"]


def test_labels_of_other_words_are_refused(nl: Path) -> None:
    write_table(nl / "dev" / paths.TEXT, {"dev-1": "dag hanna"})
    with pytest.raises(SpnerError, match=r'words of utterance "dev-1" are not those of .*/dev/text; rerun stage 2'):
        read_utterances(nl)


def test_without_labels_the_stage_is_named(nl: Path) -> None:
    (nl / "train" / paths.ENTITIES).unlink()
    with pytest.raises(SpnerError, match=r"stage 2 \(spner annotate\) makes it"):
        read_utterances(nl)


def test_training_starts_from_the_tagger_that_made_the_labels(nl: Path, tmp_path: Path) -> None:
    assert choose_start(nl, None, from_scratch=False) == "exp/tagger_mini"
    assert choose_start(nl, "x/y", from_scratch=False) == "x/y"
    assert choose_start(nl, None, from_scratch=True) is None
    came_with_the_corpus = write_data(tmp_path / "paper", DUTCH, tagger=None)
    assert choose_start(came_with_the_corpus, None, from_scratch=False) == DEFAULT_TAGGERS["nl"]
    report = read_json(came_with_the_corpus / paths.REPORT)
    write_json(came_with_the_corpus / paths.REPORT, {**report, "settings": {"lang": "es-MX"}})
    assert choose_start(came_with_the_corpus, None, from_scratch=False) == UNTAGGED, "of which the others were made"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"out"}, "--train, --data: expected one of them: column files, or a data folder of stages 1 and 2"),
        ({"train_files", "data"}, "--train, --data: expected one of them"),
        (
            {"data", "dev", "match_speech"},
            "--dev, --match_speech: cannot be given with --data; leave out, or give --train",
        ),
        (
            {"train_files", "joined", "from_scratch"},
            "--from_scratch, --join: cannot be given with --train; leave out, or give --data",
        ),
        ({"data", "model", "from_scratch"}, "--model, --from_scratch: exclude each other"),
    ],
)
def test_options_that_do_not_fit_the_source_are_refused(given: set[str], message: str) -> None:
    with pytest.raises(SpnerError) as error:
        require_one_source(given)
    assert message in str(error.value)
