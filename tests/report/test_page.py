"""The page of hand-made experiments: what it says, that nothing breaks out of it, and that it stays the same."""

import base64
import copy
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from spner.core.errors import SpnerError
from spner.report.page import TEMPLATES, write_page
from spner.scoring.options import Options
from spner.scoring.score import write_scores
from tests.report.conftest import UTTERANCES, make_scores

Write = Callable[..., Path]
HOSTILE = "</script><script>alert('1')</script><img src=x onerror=alert(2)>\"&<!--"


class Page(HTMLParser):
    """The elements, the texts and the scripts of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.inside = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, text: str) -> None:
        if self.inside != "style":
            (self.scripts if self.inside == "script" else self.texts).append(text)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def render(*exps: Path) -> Page:
    out = exps[0].parent / "page.html"
    write_page(exps, out)
    return Page(out)


def test_two_experiments_side_by_side(write_scored: Write, tmp_path: Path) -> None:
    one = write_scored("one.json", make_scores())
    two = write_scored("two.json", make_scores(f1=0.75, wer=0.2))
    out = tmp_path / "page.html"
    assert write_page([one, two], out) == f"{out}: 0.1 MB; scored sets: 2, utterances to look at: 6"
    page = Page(out)
    assert "data/test (gold) 3 utterances; the references are true entities (gold)." in page.text
    assert "WER ↓ one 0.250 0.125 to 0.375 two 0.200 0.125 to 0.375 p 1.000" in page.text
    assert "F1 one 0.500 0.450 to 0.550 two 0.750 0.450 to 0.550 p 1.000" in page.text
    notes = "precision 0.600 recall 0.400 5 mentions"
    assert f"PER one 0.500 {notes} two 0.750 p 1.000 {notes}" in page.text
    assert "one correct 1 25.0 % wrong label 0 0.0 %" in page.text
    assert "reference PER LOC ORG O PER 1 · · · LOC · 1 · 1" in page.text
    facts = "commit 0123abc versions python 3.11.7 ref data/test lang nl labels PER, LOC seen none drop empty hyp no"
    assert facts in page.text
    assert "different references" not in page.text and "synthetic" not in page.text
    links = [a["href"] for a in page.find("a") if "?" in str(a["href"])]
    assert links[0] == "#utterances?set=0&kind=correct" and links[-1] == "#utterances?set=1&kind=spurious"


def test_the_page_begins_with_one_table_of_all_sets_and_experiments(write_scored: Write, tmp_path: Path) -> None:
    for name, f1 in (("one", 0.5), ("two", 0.75)):
        write_scored(f"{name}/score/lm/test.json", make_scores(f1=f1, gold=False))
        write_scored(f"{name}/score/lm/test_gold.json", make_scores(f1=f1 / 2))
        write_scored(f"{name}/score/lm/dev.json", make_scores(f1=f1, gold=False))
    text = render(tmp_path / "one", tmp_path / "two").text
    overview = text[text.index("Scores of all sets and experiments") : text.index("test (gold) 3 utterances")]
    assert "experiment WER ↓ 0 1 CER ↓ 0 1 EER ↓ 0 1 F1 0 1 label-F1 0 1" in overview
    gold, rest = overview.split("test agreement 3 utterances; the references are a tagger's pseudo-labels")
    assert "test gold 3 utterances; the references are true entities" in gold
    rates = "WER ↓ 0.250 0.125 to 0.375 CER ↓ 0.250 EER ↓ – F1 {} 0.450 to 0.550{} label-F1 {}"
    assert (
        "one/lm not recorded " + rates.format("0.250", "", "0.250") in gold
        and "two/lm not recorded " + rates.format("0.375", " p 1.000", "0.375") in gold
    )
    test, dev = rest.split("dev agreement 3 utterances")
    assert all("two/lm not recorded " + rates.format("0.750", " p 1.000", "0.750") in part for part in (test, dev))


def test_all_scores_are_folded_below_and_error_kinds_are_not(write_scored: Write, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    write_page([write_scored("one.json", make_scores())], out)
    before, folded = out.read_text(encoding="utf-8").split("<details>")
    folded, after = folded.split("</details>")
    assert "tagged WER" in folded and "F1 by label" in folded and "tagged WER" not in before + after
    assert "Error kinds" in after and "Confusion of labels" in after


def write_hyps(write_scored: Write, name: str, num_wrong: int, *, entity: bool) -> Path:
    """Write scores of 40 utterances, in some of which the hypothesis lacks the one word, an entity or none."""
    spans = [{"label": "PER", "start": 0, "end": 1}] if entity else []
    utterances = [
        {
            "utt_id": f"u{number:02}",
            "ref": {"words": ["anna"], "entities": spans},
            "hyp": {"words": ["anna"], "entities": spans} if number >= num_wrong else {"words": [], "entities": []},
            "errors": [],
        }
        for number in range(40)
    ]
    prf = {
        "precision": 1.0,
        "recall": 1 - num_wrong / 40,
        "f1": 1 - num_wrong / 40,
        "tp": 0,
        "fp": 0,
        "fn": 40 * entity,
    }
    scores = make_scores(wer=num_wrong / 40) | {"num_utts": 40}
    scores["f1"] = {"micro": prf, "macro_f1": prf["f1"], "labels": {"PER": prf}}
    return write_scored(name, scores, utterances)


def count_best(*exps: Path) -> int:
    cells = [cell for cell in render(*exps).find("td") if str(cell.get("class")).startswith("score")]
    return sum("best" in str(cell["class"]) for cell in cells[: 5 * len(exps)])


def test_the_best_is_marked_where_the_utterances_tell_it_apart(write_scored: Write) -> None:
    one, two, other = (
        write_hyps(write_scored, f"{name}.json", num_wrong, entity=True)
        for name, num_wrong in (("one", 0), ("two", 12), ("other", 11))
    )
    assert count_best(one, two) >= 3  # WER, CER, F1
    assert count_best(other, two) == 0, "one utterance more is no difference"
    assert re.search(r"p 0\.\d\d\d", render(one, two).text) and "too few" not in render(one, two).text


def test_too_few_entities_are_told_and_their_scores_not_marked(write_scored: Write) -> None:
    one, two = (
        write_hyps(write_scored, f"{name}.json", num_wrong, entity=False)
        for name, num_wrong in (("one", 0), ("two", 12))
    )
    text = render(one, two).text
    assert "0 entities are too few to tell experiments apart: no score of entities is underlined below 30." in text
    assert count_best(one, two) == 2  # WER and CER


def test_different_references_are_not_compared(write_scored: Write) -> None:
    one = write_scored("one.json", make_scores())
    fewer = write_scored("three.json", make_scores(wer=0.5) | {"num_utts": 2}, None)
    assert count_best(one, fewer) == 0
    assert "The references differ: do not compare the experiments." in render(one, fewer).text


def test_signatures_are_shown_and_compared(write_scored: Write) -> None:
    one, two = write_scored("one.json", make_scores()), write_scored("two.json", make_scores())
    text = render(one, two).text
    assert text.count("spner|v:0.1.0|refs:gold") == 1 and "signatures differ" not in text
    three = write_scored("three.json", make_scores() | {"signature": "spner|v:0.1.0|norm:nl|refs:gold"})
    text = render(one, three).text
    assert "do not compare" not in text and "The signatures differ." in text
    assert "one spner|v:0.1.0|refs:gold three spner|v:0.1.0|norm:nl|refs:gold" in text


def test_references_not_stated_are_neither_gold_nor_agreement(write_scored: Write) -> None:
    gold, unstated = write_scored("one.json", make_scores()), write_scored("two.json", make_scores() | {"gold": None})
    text = render(gold, unstated).text
    assert "data/test gold 3 utterances" in text and "agreement" not in text
    assert "data/test references not stated 3 utterances; whether the references are true entities was not" in text


def test_utterances_are_embedded_once_a_scored_set(write_scored: Write, tmp_path: Path) -> None:
    page = render(write_scored("one.json", make_scores()), write_scored("two.json", make_scores()))
    first, second, kinds, _program = page.scripts
    assert first == second and json.loads(first) == {
        "labels": ["PER", "LOC", "ORG"],
        "utts": [
            ["u1", "angela merkel reist", "angela merkle reist", "=s=", [0, 0, 2, 3], [0, 0, 2, 3]],
            ["u2", "naar utrecht", 0, 0, [1, 1, 2, 0], [1, 1, 2, 0]],
            ["u3", "philips in best", "philips best dan", "=ss", [1, 2, 3, 4], [2, 0, 1, 5]],
        ],
    }
    assert json.loads(kinds)[3] == "misspelt"
    titles = [script["data-title"] for script in page.find("script") if "data-title" in script]
    assert titles == ["one: data/test (gold)", "two: data/test (gold)"]


def test_a_folder_shows_its_sets_in_order_and_its_curves(write_scored: Write, tmp_path: Path) -> None:
    scores = make_scores(gold=False)
    scores["made_with"]["experiment"] = {"synthetic": True, "config": "conf/train.yaml"}
    for name in ("dev", "test"):
        write_scored(f"base/score/lm/{name}.json", scores)
    write_scored("base/score/lm/test_gold.json", make_scores())
    (tmp_path / "base" / "curves.png").write_bytes(b"picture")
    page = render(tmp_path / "base")
    titles = [script["data-title"] for script in page.find("script") if "data-title" in script]
    assert titles == ["base/lm: test (gold)", "base/lm: test (pseudo-labels)", "base/lm: dev (pseudo-labels)"]
    assert "agreement with the tagger, not accuracy" in page.text
    assert "The speech is synthetic (eSpeak NG)" in page.text
    assert "experiment: config conf/train.yaml conf/train.yaml none" in page.text  # dev, test, test_gold
    (image,) = page.find("img")
    assert image["src"] == "data:image/png;base64," + base64.b64encode(b"picture").decode()
    assert "base" in str(image["alt"])


def test_in_a_language_without_spaces_wer_is_said_to_count_characters(write_scored: Write, tmp_path: Path) -> None:
    scores = make_scores()
    write_scored("one.json", scores)
    scores["made_with"]["lang"] = "ja"
    assert "is a word" not in render(tmp_path / "one.json").text
    note = "In ja, each character is a word (no spaces in this language): WER is a character error rate."
    assert note in render(write_scored("two.json", scores)).text


def test_published_numbers_stand_below_the_overview(write_scored: Write, tmp_path: Path) -> None:
    write_page([write_scored("a.json", make_scores())], tmp_path / "page.html", published="earnings21")
    text = Page(tmp_path / "page.html").text
    assert "earnings21, all ESPnet model of Rev 0.128 - - revdotcom/speech-datasets" in text
    assert "slue_voxpopuli" not in text


def test_different_references_are_told(write_scored: Write) -> None:
    other = copy.deepcopy(UTTERANCES)
    other[1]["ref"]["entities"] = []
    other[1]["errors"] = []
    one = write_scored("one.json", make_scores())
    assert "scored against different references" in render(one, write_scored("two.json", make_scores(), other)).text
    fewer = write_scored("three.json", make_scores() | {"num_utts": 2}, None)
    assert "(one: 3 utterances, three: 2 utterances): their scores cannot be compared" in render(one, fewer).text


def test_without_utterances_the_page_says_so_and_counts_lead_nowhere(write_scored: Write, tmp_path: Path) -> None:
    page = render(write_scored("one.json", make_scores(), None))
    assert f"one: data/test (gold) : no utterances to show ({tmp_path}/one.utts.jsonl is not there)." in page.text
    assert not page.find("form") and not any("?" in str(link["href"]) for link in page.find("a"))


def test_scores_without_positions_and_without_intervals(write_scored: Write) -> None:
    scores = make_scores() | dict.fromkeys(("errors", "confusion", "f1_span", "f1_span_text", "f1_aligned", "ci95"))
    text = render(write_scored("one.json", scores)).text
    assert "not counted: the entities have no positions in the transcripts" in text
    assert "no confidence intervals were computed" in text
    assert "Confusion of labels" not in text and "span F1" not in text


SAID = [("u1", "angela merkel reist", [("PER", 0, 2)]), ("u2", "naar utrecht", [("LOC", 1, 2)])]


@pytest.mark.parametrize("positions", [True, False], ids=["spans", "phrases"])
def test_what_spner_score_writes_can_be_shown(tmp_path: Path, positions: bool) -> None:
    for name, suffix in (("ref", ""), ("hyp", "s")):
        records = []
        for utt_id, text, spans in SAID:
            words = [word + suffix * (word == "merkel") for word in text.split()]
            entities = [
                {"label": label, "start": start, "end": end}
                if positions
                else {"label": label, "phrase": " ".join(words[start:end])}
                for label, start, end in spans
            ]
            said = {"words": words} if positions else {"text": " ".join(words)}
            records.append(json.dumps({"utt_id": utt_id, **said, "entities": entities}) + "\n")
        (tmp_path / name).write_text("".join(records))
    options = Options(num_draws=10)
    write_scores(tmp_path / "scores.json", ref=tmp_path / "ref", hyp=tmp_path / "hyp", options=options)
    page = render(tmp_path / "scores.json")
    place = [[0, 0, 2, 3], [0, 0, 2, 3]] if positions else [[0, "angela merkel", -1, -1], [0, "angela merkels", -1, -1]]
    words = ["angela merkel reist", "angela merkels reist", "=s="]
    assert json.loads(page.scripts[0])["utts"][0] == ["u1", *words, *place]
    assert "WER ↓ scores 0.200 0." in page.text and "F1 scores 0.500 0." in page.text
    assert ("misspelt 1 50.0 %" in page.text) is ("span F1" in page.text) is positions


def test_hostile_strings_stay_text(write_scored: Write, tmp_path: Path) -> None:
    scores = make_scores()
    prf = scores["f1"]["labels"].pop("PER")
    scores["f1"]["labels"][HOSTILE] = prf
    scores["confusion"][HOSTILE] = {HOSTILE: 1}
    scores["made_with"] |= {HOSTILE: HOSTILE, "ref": HOSTILE}
    utterance: Any = {
        "utt_id": HOSTILE,
        "ref": {"words": HOSTILE.split(), "entities": [{"label": HOSTILE, "start": 0, "end": 1}]},
        "hyp": {"words": ["{{", "7*7", "}}"], "entities": []},
        "errors": [],
    }
    exp = write_scored("<b onclick=x>{{ 7*7 }}/score/lm/test.json", scores, [utterance]).parents[2]
    (tmp_path / "<i>").mkdir()
    file = write_scored("<i>/{% raw %}.json", scores, [utterance])
    page, harmless = render(exp, file), render(write_scored("a/score/lm/test.json", make_scores()).parents[2])
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in harmless.elements}
    assert {name for _, attributes in page.elements for name in attributes} <= {
        name for _, attributes in harmless.elements for name in attributes
    }
    assert json.loads(page.scripts[0])["utts"][0][:3] == [HOSTILE, HOSTILE, "{{ 7*7 }}"]
    assert "<b onclick=x>{{ 7*7 }}" in page.text and "{% raw %}" in page.text and HOSTILE in page.text


def test_the_page_runs_its_own_script_alone_and_loads_nothing(write_scored: Write) -> None:
    page = render(write_scored("one.json", make_scores()))
    (policy,) = (str(meta["content"]) for meta in page.find("meta") if meta.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(page.scripts[-1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert not page.find("link") and not page.find("iframe")
    assert all("src" not in attributes for attributes in page.find("script"))


def test_the_script_enters_texts_as_texts() -> None:
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    assert "</" not in script and "<!--" not in script
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|Function\(|fetch|http", script)


def test_again_gives_the_same_bytes(write_scored: Write, tmp_path: Path) -> None:
    exps = [write_scored("one.json", make_scores()), write_scored("two.json", make_scores())]
    pages = []
    for hash_seed in ("1", "2"):
        out = tmp_path / f"{hash_seed}.html"
        command = [sys.executable, "-m", "spner", "report", *map(str, exps), "--out", str(out)]
        subprocess.run(command, check=True, capture_output=True, env={"PYTHONHASHSEED": hash_seed, "PATH": ""})
        pages.append(out.read_bytes())
    assert pages[0] == pages[1]


def test_nothing_is_left_when_an_input_is_malformed(write_scored: Write, tmp_path: Path) -> None:
    file = write_scored("one.json", make_scores(), [{"utt_id": "u"}])
    with pytest.raises(SpnerError, match=r"one\.utts\.jsonl:1: is no scored utterance"):
        write_page([file], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
