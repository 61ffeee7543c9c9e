"""Every format is read back: by a library where there is one, else line by line."""

import json
import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from spner.core.errors import SpnerError
from spner.tag.formats import FORMATS, output_path, read_formats, render, save
from spner.tag.plain import to_terminal
from spner.tag.subtitles import MAX_CHARS, clock, cut_cues
from spner.tag.tagged import Entity, Tagged, TaggedSegment, Word
from spner.tagger.conll import read_conll


def make_segment(text: str, *entities: tuple[str, str], start_s: float = 0.0, speaker: str | None = None):
    """Return a segment whose words take half a second each; entities are (label, text)."""
    words: list[Word] = []
    position = 0
    for number, word in enumerate(text.split()):
        begin_s = start_s + number / 2
        words.append(Word(word, begin_s, begin_s + 0.5, position, position + len(word), 0.9, speaker))
        position += len(word) + 1
    found = []
    for label, name in entities:
        start = text.index(name)
        inside = [word for word in words if word.start_char < start + len(name) and start < word.end_char]
        times = (inside[0].start_s, inside[-1].end_s)
        found.append(Entity(label, name, *times, start, start + len(name), 0.8, speaker))
    return TaggedSegment(text, tuple(words), tuple(found))


TAGGED = Tagged(
    "talks/a & b.mp3",
    100.0,
    (
        make_segment("Angela Merkel, <b> reist naar Den Haag.", ("PER", "Angela Merkel"), ("LOC", "Den Haag")),
        make_segment('zij zei "ja" tegen Shell', ("ORG", "Shell"), start_s=61.25, speaker="anna"),
    ),
    "nl",
)
NOTHING = Tagged("silence.wav", 3.0, ())


def text_of(name: str, tagged: Tagged = TAGGED) -> str:
    return "".join(render(tagged, name))


def test_json_is_whisperx_shaped() -> None:
    found = json.loads(text_of("json"))
    assert (found["audio"], found["language"], found["duration"]) == ("talks/a & b.mp3", "nl", 100.0)
    first, second = found["segments"]
    assert first["words"][1] == {"word": "Merkel,", "start": 0.5, "end": 1.0, "score": 0.9}
    keys = ("label", "text", "start", "end", "start_char", "end_char", "score")
    assert first["entities"] == [
        dict(zip(keys, ("PER", "Angela Merkel", 0.0, 1.0, 0, 13, 0.8), strict=True)),
        dict(zip(keys, ("LOC", "Den Haag", 2.5, 3.5, 30, 38, 0.8), strict=True)),
    ]
    assert (second["start"], second["end"], second["speaker"]) == (61.25, 63.75, "anna")
    assert second["entities"][0]["speaker"] == second["words"][0]["speaker"] == "anna"
    assert "speaker" not in first
    for entity in first["entities"]:
        assert first["text"][entity["start_char"] : entity["end_char"]] == entity["text"]


def test_json_lines_have_the_segments_of_json() -> None:
    lines = [json.loads(line) for line in text_of("jsonl").splitlines()]
    assert [line.pop("audio") for line in lines] == ["talks/a & b.mp3"] * 2
    assert lines == json.loads(text_of("json"))["segments"]


def read_cues(text: str) -> list[tuple[str, str, str]]:
    return re.findall(r"^([\d:.,]+) --> ([\d:.,]+)\n(.*)$", text, re.MULTILINE)


def test_srt_numbers_its_cues_and_colours_names() -> None:
    text = text_of("srt")
    assert re.findall(r"^(\d+)$", text, re.MULTILINE) == ["1", "2"]
    assert read_cues(text) == [
        (
            "00:00:00,000",
            "00:00:03,500",
            '<font color="#ff8a80">Angela Merkel</font>, <b> reist naar <font color="#b9f6ca">Den Haag</font>.',
        ),
        ("00:01:01,250", "00:01:03,750", '[anna] zij zei "ja" tegen <font color="#82b1ff">Shell</font>'),
    ]


def test_vtt_escapes_text_and_has_a_colour_for_each_class() -> None:
    text = text_of("vtt")
    assert text.startswith("WEBVTT\n\nSTYLE\n::cue(.LOC)")
    assert [cue[2] for cue in read_cues(text)] == [
        "<c.PER>Angela Merkel</c>, &lt;b&gt; reist naar <c.LOC>Den Haag</c>.",
        '<v anna>zij zei "ja" tegen <c.ORG>Shell</c>',
    ]


def test_long_segments_become_several_cues_and_no_name_is_broken() -> None:
    text = " ".join(["woord"] * 13 + ["Jan", "van", "der", "Aa"] + ["woord"] * 30)
    segment = make_segment(text, ("PER", "Jan van der Aa"))
    cues = list(cut_cues(Tagged("a", 60.0, (segment,))))
    assert [word for cue in cues for word in cue.words] == list(segment.words)
    assert max(cue.end_char - cue.start_char for cue in cues) <= MAX_CHARS
    assert sum("Jan van der Aa" in text[cue.start_char : cue.end_char] for cue in cues) == 1
    assert "".join(render(Tagged("a", 60.0, (segment,)), "srt")).count("<font") == 1


def test_a_cue_ends_where_the_speaker_changes() -> None:
    anna, bob = (make_segment("ja dat is zo", speaker=name).words for name in ("anna", "bob"))
    segment = TaggedSegment("ja dat is zo", (*anna[:2], *bob[2:]))
    cues = list(cut_cues(Tagged("a", 2.0, (segment,))))
    assert [[word.text for word in cue.words] for cue in cues] == [["ja", "dat"], ["is", "zo"]]


@pytest.mark.parametrize(
    ("time_s", "shown"), [(0.0, "00:00:00.000"), (3599.9996, "01:00:00.000"), (36061.5, "10:01:01.500")]
)
def test_clock(time_s: float, shown: str) -> None:
    assert clock(time_s) == shown


def test_txt_puts_names_in_brackets() -> None:
    assert text_of("txt").splitlines() == [
        "[PER Angela Merkel], <b> reist naar [LOC Den Haag].",
        'anna: zij zei "ja" tegen [ORG Shell]',
    ]


def test_a_terminal_shows_times_and_labels() -> None:
    shown = re.sub(r"\x1b\[\d*m", "", "".join(to_terminal(TAGGED)))
    assert shown.splitlines()[1] == '00:01:01.2  anna: zij zei "ja" tegen Shell ORG'


def test_tsv_has_a_row_for_each_name() -> None:
    header, *rows = [line.split("\t") for line in text_of("tsv").splitlines()]
    assert header == ["start", "end", "label", "name", "confidence", "speaker"]
    assert rows == [
        ["0.000", "1.000", "PER", "Angela Merkel", "0.8000", ""],
        ["2.500", "3.500", "LOC", "Den Haag", "0.8000", ""],
        ["63.250", "63.750", "ORG", "Shell", "0.8000", "anna"],
    ]


def test_conll_is_read_by_our_own_reader(tmp_path: Path) -> None:
    save(TAGGED, tmp_path / "a.conll")
    first, second = read_conll(tmp_path / "a.conll")
    assert first.words[:3] == ("Angela", "Merkel,", "<b>")
    assert [(one.label, one.start, one.end) for one in first.entities] == [("PER", 0, 2), ("LOC", 5, 7)]
    assert [(one.label, second.phrase(one)) for one in second.entities] == [("ORG", "Shell")]


def read_textgrid(text: str) -> dict[str, list[tuple[float, float, str]]]:
    """Return the intervals of each tier."""
    number = r"([\d.]+)"
    tiers = re.split(r"item \[\d+\]:", text)[1:]
    return {
        re.search(r'name = "(\w+)"', tier)[1]: [
            (float(start), float(end), label.replace('""', '"'))
            for start, end, label in re.findall(
                rf'intervals \[\d+\]:\s+xmin = {number}\s+xmax = {number}\s+text = "((?:[^"]|"")*)"', tier
            )
        ]
        for tier in tiers
    }


@pytest.mark.parametrize("tagged", [TAGGED, NOTHING], ids=["speech", "silence"])
def test_the_tiers_of_a_textgrid_are_without_gaps(tagged: Tagged) -> None:
    tiers = read_textgrid(text_of("textgrid", tagged))
    assert list(tiers)[:2] == ["words", "names"]
    for intervals in tiers.values():
        assert intervals[0][0] == 0.0
        assert intervals[-1][1] == tagged.duration_s
        assert all(before[1] == after[0] for before, after in zip(intervals, intervals[1:], strict=False))
        assert all(end > start for start, end, _ in intervals)
    assert [text for *_, text in tiers["words"] if text] == [word.text for word in tagged.words]
    assert [text for *_, text in tiers["names"] if text] == [f"{one.label} {one.text}" for one in tagged.entities]


class Page(HTMLParser):
    """The texts inside the elements that a page's script looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.marks: list[str] = []
        self.sources: list[str | None] = []
        self.times: list[float] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "audio":
            self.sources.append(found["src"])
        if tag not in ("meta", "br"):
            self.open.append("word" if "data-e" in found else tag)
        if tag == "mark":
            self.marks.append(f"{found['data-label']}:")
        if "data-e" in found:
            self.times.append(float(found["data-t"] or -1))

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "word":
            self.words.append(data)
            if "mark" in self.open:
                self.marks[-1] += f" {data}"


def read_page(tagged: Tagged, folder: Path) -> Page:
    page = Page()
    page.feed("".join(render(tagged, "html", page_folder=folder)))
    assert page.open == []
    return page


def test_the_page_has_every_word_with_its_time_and_every_name(tmp_path: Path) -> None:
    page = read_page(TAGGED, tmp_path)
    shown = {"Merkel,": "Merkel", "Haag.": "Haag"}
    assert page.words == [shown.get(word.text, word.text) for word in TAGGED.words]
    assert page.times == [word.start_s for word in TAGGED.words]
    assert page.marks == ["PER: Angela Merkel", "LOC: Den Haag", "ORG: Shell"]
    assert page.sources == []  # there is no such recording


def test_a_mark_on_the_page_is_no_longer_than_its_name(tmp_path: Path) -> None:
    said = make_segment('van "Gouda-Delft" naar (Rome) en', ("LOC", "Gouda"), ("LOC", "Delft"), ("LOC", "Rome"))
    page = read_page(Tagged("a", 9.0, (said,)), tmp_path)
    assert page.words == ["van", "Gouda", "Delft", "naar", "Rome", "en"]
    assert page.marks == ["LOC: Gouda", "LOC: Delft", "LOC: Rome"]
    html = "".join(render(Tagged("a", 9.0, (said,)), "html", page_folder=tmp_path))
    paragraph = html.partition("<p>")[2].partition("</p>")[0]
    assert re.sub(r"<[^>]*>", "", paragraph).endswith(escape(said.text))


def test_the_page_finds_the_recording_from_where_it_lies(tmp_path: Path) -> None:
    audio = tmp_path / "talks" / "a & b #1.mp3"
    audio.parent.mkdir()
    audio.touch()
    page = read_page(Tagged(str(audio), 1.0, ()), tmp_path / "tagged")
    assert page.sources == ["../talks/a%20%26%20b%20%231.mp3"]


def test_a_page_runs_nothing_that_was_said_or_named(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    tagged = Tagged(evil, 1.0, (make_segment(evil, (evil, evil)),), '"><script>')
    html = "".join(render(tagged, "html", page_folder=tmp_path))
    assert html.count("<script>") == 1


@pytest.mark.parametrize("name", FORMATS)
def test_silence_can_be_written_in_every_format(tmp_path: Path, name: str) -> None:
    path = output_path(tmp_path / "silence", name)
    save(NOTHING, path)
    assert path.exists()


def test_a_recording_saves_itself_by_the_name_of_the_file(tmp_path: Path) -> None:
    TAGGED.save(tmp_path / "talk.TextGrid")
    assert (tmp_path / "talk.TextGrid").read_text().startswith('File type = "ooTextFile"')
    with pytest.raises(SpnerError, match=r"talk\.doc: ends with no format's name"):
        TAGGED.save(tmp_path / "talk.doc")


def test_a_list_of_formats_is_read() -> None:
    assert read_formats("srt, jsonl srt") == ("srt", "jsonl")
    assert read_formats("all") == FORMATS
    with pytest.raises(SpnerError, match='did you mean "textgrid"'):
        read_formats("json,textgri")
    with pytest.raises(SpnerError, match="names no format"):
        read_formats(" , ")
