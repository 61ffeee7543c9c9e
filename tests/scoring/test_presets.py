"""The presets: SLUE's numbers, stated once more from its definition, and worked by hand."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from spner.cli import cli
from spner.core.errors import SpnerError
from spner.corpora import slue
from spner.corpora.corpus import Wanted
from spner.scoring.options import Options
from spner.scoring.presets import preset_rules
from spner.scoring.score import score
from spner.scoring.transcripts import mentions_of
from tests.scoring.texts import count_texts, micro

SLUE, RAW = (preset_rules(name, None, {}) for name in ("slue", "slue_raw"))
# Table 2 of arXiv 2111.10367: what each of OntoNotes' labels counts as; what is missing here is left out.
COMBINED = {
    **dict.fromkeys(("GPE", "LOC"), "PLACE"),
    **dict.fromkeys(("CARDINAL", "ORDINAL", "QUANTITY", "MONEY", "PERCENT"), "QUANT"),
    **dict.fromkeys(("DATE", "TIME"), "WHEN"),
    **{label: label for label in ("ORG", "NORP", "PERSON", "LAW")},
}
LEFT_OUT = ("FAC", "EVENT", "WORK_OF_ART", "PRODUCT", "LANGUAGE")

SCRAPS = st.sampled_from(["eu", "today", "'s", "europe's", "o'sullivan's", "'", "</NE>", "</NE>"])
OPENS = st.sampled_from([f"<{label}>" for label in (*COMBINED, *LEFT_OUT)])
ENTITIES = st.builds("{} {} </NE>".format, OPENS, st.sampled_from(["eu", "new york", "europe's", "europe 's"]))
TEXTS = st.lists(st.one_of(SCRAPS, OPENS, ENTITIES), max_size=8).map(" ".join)


def pairs_of(text: str, *, combined: bool) -> Counter[tuple[str, str]]:
    """Return the (label, phrase) of a text by the definition: a phrase lies between an opening symbol and the next
    symbol, and counts if that one is a close and words are between them; ``'s`` is a word, and none of the phrase that
    it is written together with."""
    pairs: Counter[tuple[str, str]] = Counter()
    label, phrase = "", ""
    text = re.sub(r"(\S)('s) </NE>", r"\1 </NE> \2", text)
    for token in text.replace("'s", " 's").split():
        if token.startswith("<") and label and phrase and token == "</NE>":
            found = COMBINED.get(label) if combined else label
            pairs.update([(found, phrase.strip())] if found else [])
        if token.startswith("<"):
            label, phrase = "" if token == "</NE>" else token.strip("<>"), ""
        else:
            phrase += f" {token}"
    return pairs


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
@pytest.mark.parametrize("combined", [True, False])
def test_random_texts_have_the_f1_of_the_definition(combined: bool, pairs: list[tuple[str, str]]) -> None:
    refs, hyps = zip(*pairs, strict=True)
    table, _ = count_texts(ref=refs, hyp=hyps, rules=SLUE if combined else RAW)
    sides = [[pairs_of(text, combined=combined) for text in texts] for texts in (refs, hyps)]
    labels = [[Counter(label for label, _ in one.elements()) for one in side] for side in sides]
    for name, (ref, hyp) in {"f1": sides, "label_f1": labels}.items():
        counts = micro(table, name)
        assert counts.tp == sum((one & other).total() for one, other in zip(ref, hyp, strict=True))
        assert (counts.tp + counts.fn, counts.tp + counts.fp) == tuple(sum(map(Counter.total, s)) for s in (ref, hyp))


@pytest.mark.parametrize(
    ("ref", "hyp", "f1", "label_f1"),
    [
        # The example of slue-toolkit's own scorer: a pair that occurs twice is two, in any order.
        pytest.param(
            "<GPE> eu </NE> <DATE> today </NE> <GPE> eu </NE>",
            "<DATE> today </NE> <GPE> eu </NE> eu",
            (2, 0, 1),
            (2, 0, 1),
            id="twice",
        ),
        pytest.param("<GPE> eu </NE>", "<LOC> eu </NE>", (1, 0, 0), (1, 0, 0), id="combined into one label"),
        pytest.param("<GPE> eu </NE>", "<GPE> e u </NE>", (0, 1, 1), (1, 0, 0), id="other words"),
        pytest.param("<FAC> eu </NE>", "eu", (0, 0, 0), (0, 0, 0), id="left out in references"),
        pytest.param("eu", "<EVENT> eu </NE>", (0, 0, 0), (0, 0, 0), id="left out in hypotheses"),
        pytest.param("<ORG> eu </NE>", "<LAW> the <ORG> eu </NE>", (1, 0, 0), (1, 0, 0), id="begun inside another"),
        pytest.param("<ORG> eu </NE>", "</NE> <ORG> </NE> <ORG> eu", (0, 0, 1), (0, 0, 1), id="stray, empty, unclosed"),
        pytest.param("<GPE> europe </NE> 's", "<GPE> europe's </NE>", (1, 0, 0), (1, 0, 0), id="'s behind"),
        pytest.param("<GPE> europe's </NE>", "<GPE> europe </NE>", (1, 0, 0), (1, 0, 0), id="'s missing"),
        pytest.param("<NORP> europe 's </NE>", "<NORP> europe's </NE>", (0, 1, 1), (1, 0, 0), id="'s marked"),
        pytest.param("<ORG> eu's o'sullivan </NE>", "<ORG> eu 's o 'sullivan </NE>", (1, 0, 0), (1, 0, 0), id="inside"),
    ],
)
def test_cases_by_hand(ref: str, hyp: str, f1: tuple[int, int, int], label_f1: tuple[int, int, int]) -> None:
    table, _ = count_texts(ref=[ref], hyp=[hyp], rules=SLUE)
    counts = [micro(table, name) for name in ("f1", "label_f1")]
    assert [(one.tp, one.fp, one.fn) for one in counts] == [f1, label_f1]


def test_all_18_labels_are_read_and_no_other() -> None:
    assert {*RAW.labels} == {*COMBINED, *LEFT_OUT}
    assert dict(SLUE.mapping) | {label: label for label in SLUE.labels} == COMBINED | {
        label: label for label in SLUE.labels
    }
    assert SLUE.discard == {*LEFT_OUT}


def test_labels_of_a_model_are_mapped_beside_the_presets() -> None:
    rules = preset_rules("slue", "en", {"PER": "PERSON", "LOC": "WHEN"})
    assert (rules.mapping["PER"], rules.mapping["LOC"], rules.mapping["GPE"]) == ("PERSON", "WHEN", "PLACE")
    with pytest.raises(SpnerError, match="--map PER=PERSONS: is no label of --preset slue .* PERSON"):
        preset_rules("slue", "en", {"PER": "PERSONS"})


def test_the_command_signs_what_the_preset_decides(tmp_path: Path) -> None:
    (tmp_path / "ref").write_text("u1 <GPE> europe </NE> 's <FAC> port </NE>\n")
    (tmp_path / "hyp").write_text("u1 <GPE> europe </NE>'s port\n")
    options = ["score", "--ref", str(tmp_path / "ref"), "--hyp", str(tmp_path / "hyp"), "--bootstrap", "0"]
    result = CliRunner().invoke(cli, [*options, "--preset", "slue"])
    assert result.exit_code == 0, result.output
    assert "labels:LAW,NORP,ORG,PERSON,PLACE,QUANT,WHEN|map:CARDINAL>QUANT," in result.output
    assert "|discard:EVENT,FAC,LANGUAGE,PRODUCT,WORK_OF_ART|policy:discard|split:'s|" in result.output
    refused = CliRunner().invoke(cli, [*options, "--preset", "slue", "--labels", "PER"])
    assert str(refused.exception) == ("--labels: --preset slue decides it (expected one of them); leave one out")


def test_phrases_lose_the_same_s(tmp_path: Path) -> None:
    record = {"utt_id": "u1", "text": "europe's port", "entities": [{"label": "GPE", "phrase": "europe's"}]}
    (tmp_path / "ref").write_text("u1 <GPE> europe </NE> 's port\n")
    (tmp_path / "hyp").write_text(json.dumps(record) + "\n")
    scores = score(tmp_path / "ref", tmp_path / "hyp", Options(SLUE, num_draws=0))
    assert (scores["f1"]["micro"]["f1"], scores["wer"]["rate"]) == (1.0, 0.0)


def test_entities_of_the_dev_set_are_those_of_slue_toolkit(shared_data: Path) -> None:
    """Its preparation, run on the same table, makes 1,819, none with an 's but one that people have marked."""
    dev = slue.read(shared_data / "spoken_ner_gold" / "slue_voxpopuli", Wanted(lang="en")).sets["dev"]
    rules = preset_rules("slue", "en", {})
    mentions = [mention for one in (dev.transcripts or {}).values() for mention in mentions_of(rules.apply(one))]
    assert len(mentions) == 1819
    assert [phrase for _, phrase in mentions if phrase.endswith(("'s", " s"))] == ["the eighty s"]
