"""Every layout of a Common Voice table, and no row lost in silence."""

from pathlib import Path

import pytest

from spner.core.errors import SpnerError
from spner.core.paths import SETS
from spner.corpora.common_voice import list_sets, make_spk_id, make_utt_id, read, read_sets
from spner.corpora.corpus import CorpusSet, Wanted

V6 = "client_id path sentence up_votes down_votes age gender accent locale segment"
V12 = "client_id path sentence up_votes down_votes age gender accents locale segment"
NEWEST = (
    "client_id path sentence_id sentence sentence_domain up_votes down_votes age gender accents variant locale segment"
)
SHUFFLED = "locale variant sentence_domain sentence accents path sentence_id client_id segment"
ANNA, BEN = "a" * 128, "b" * 128


def write_corpus(
    folder: Path, rows: list[tuple[str, str, str]], *, columns: str = V12, set_name: str = "train", end: str = "\n"
) -> Path:
    """Write a table of (client_id, path, sentence) rows in which every other field says which column it is of."""
    names = columns.split()
    lines = [names]
    for row in rows:
        values = dict(zip(("client_id", "path", "sentence"), row, strict=True))
        lines.append([values.get(name, f"<{name}>") for name in names])
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join("\t".join(line) + end for line in lines)
    (folder / f"{set_name}.tsv").write_bytes(text.encode())
    return folder


def append(corpus: Path, text: str) -> None:
    with open(corpus / "train.tsv", "a", encoding="utf-8", newline="") as file:
        file.write(text)


def sentences(table: CorpusSet) -> list[str]:
    return [utterance.sentence for utterance in table.utterances]


def read_tsv(corpus: Path, set_name: str) -> CorpusSet:
    return read_sets(corpus, [set_name])[set_name]


def message(corpus: Path) -> str:
    with pytest.raises(SpnerError) as error:
        read_tsv(corpus, "train")
    return str(error.value)


@pytest.mark.parametrize("columns", [V6, V12, NEWEST, SHUFFLED], ids=["6.1", "12", "newest", "other order"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
def test_every_layout(tmp_path: Path, columns: str, end: str, bom: bytes) -> None:
    rows = [(ANNA, "x_1.mp3", "Één zin."), (BEN, "x_2.mp3", "Nog een.")]
    corpus = write_corpus(tmp_path, rows, columns=columns, end=end)
    (corpus / "train.tsv").write_bytes(bom + (corpus / "train.tsv").read_bytes())
    table = read_tsv(corpus, "train")
    found = [(u.utt_id, u.spk_id, u.clip, u.sentence) for u in table.utterances]
    assert found == [
        (f"{'a' * 16}-x_1", "a" * 16, "x_1.mp3", "Één zin."),
        (f"{'b' * 16}-x_2", "b" * 16, "x_2.mp3", "Nog een."),
    ]
    assert table.empty == () and table.ragged_lines == ()


def test_last_line_needs_no_line_end(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, [(ANNA, "1.mp3", "Een."), (ANNA, "2.mp3", "Twee.")])
    table = corpus / "train.tsv"
    table.write_bytes(table.read_bytes().rstrip(b"\n"))
    assert sentences(read_tsv(corpus, "train")) == ["Een.", "Twee."]


def test_quotes_are_letters_like_others(tmp_path: Path) -> None:
    quoted = ['"Begin.', 'Midden " hier.', 'Einde."', '"Alles."', '""', "'"]
    rows = [(ANNA, f"{number}.mp3", sentence) for number, sentence in enumerate(quoted)]
    assert sentences(read_tsv(write_corpus(tmp_path, rows), "train")) == quoted


def test_line_ends_of_unicode_do_not_end_a_row(tmp_path: Path) -> None:
    rows = [(ANNA, "1.mp3", "Een\u2028twee\x85drie\x0cvier.")]
    table = read_tsv(write_corpus(tmp_path, rows), "train")
    assert len(table.utterances) == 1 and table.ragged_lines == ()


def test_sentences_are_composed_and_trimmed(tmp_path: Path) -> None:
    table = read_tsv(write_corpus(tmp_path, [(ANNA, "1.mp3", "  E\u0301e\u0301n zin. ")]), "train")
    assert sentences(table) == ["\u00c9\u00e9n zin."]


def test_ragged_rows_are_counted_with_their_lines(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, [(ANNA, "1.mp3", "Een."), (ANNA, "2.mp3", "Twee.")])
    append(corpus, "too\tfew\n")
    append(corpus, "\n")
    append(corpus, "\t".join([ANNA, "3.mp3", "Drie.", *["x"] * 7]) + "\n")
    append(corpus, "\t".join([ANNA, "4.mp3", "Te veel.", *["x"] * 8]) + "\n")
    table = read_tsv(corpus, "train")
    assert sentences(table) == ["Een.", "Twee.", "Drie."]
    assert table.ragged_lines == (4, 5, 7)


def test_empty_columns_at_the_end_may_be_trimmed_or_added(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, [], columns=V12)
    cells = [ANNA, "1.mp3", "Een.", "2", "0"]
    append(corpus, "\t".join(cells) + "\n")
    append(corpus, "\t".join([ANNA, "2.mp3", "Twee.", *[""] * 7, "", ""]) + "\n")
    append(corpus, "\t".join([ANNA, "3.mp3", "Drie.", "2", "0", "", "", "", "nl", ""]) + "\n")
    table = read_tsv(corpus, "train")
    assert sentences(table) == ["Een.", "Twee.", "Drie."]
    assert table.ragged_lines == () and table.notes == {"rows without their last columns, read": 1}


def test_a_row_that_lost_a_tab_inside_is_not_read(tmp_path: Path) -> None:
    """Its columns are shifted: the votes would be taken for the sentence."""
    corpus = write_corpus(tmp_path, [(ANNA, "1.mp3", "Een."), (ANNA, "2.mp3", "Twee.")])
    append(corpus, "\t".join([f"{ANNA} 3.mp3", "Drie.", "2", "0", "", "", "", "nl", ""]) + "\n")
    table = read_tsv(corpus, "train")
    assert sentences(table) == ["Een.", "Twee."] and table.ragged_lines == (4,)


def test_table_most_of_whose_rows_are_ragged(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, [(ANNA, "1.mp3", "Een.")])
    append(corpus, f"{ANNA} 2.mp3 Twee.\n" * 2)
    assert message(corpus) == (
        f"{tmp_path}/train.tsv: 2 of 3 rows cannot be read (the first is line 3, with 1 of 10 columns; expected tabs "
        "between them); restore the table"
    )


def test_empty_sentences_are_kept_apart(tmp_path: Path) -> None:
    rows = [(ANNA, "1.mp3", ""), (ANNA, "2.mp3", "Twee."), (BEN, "3.mp3", "  ")]
    table = read_tsv(write_corpus(tmp_path, rows), "train")
    assert sentences(table) == ["Twee."]
    assert [utterance.clip for utterance in table.empty] == ["1.mp3", "3.mp3"]


def test_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    table = read_tsv(write_corpus(tmp_path, []), "train")
    assert len(table.utterances) == 0 and sentences(table) == []
    assert table.empty == () and table.ragged_lines == () and table.notes == {}


def test_missing_column(tmp_path: Path) -> None:
    write_corpus(tmp_path, [], columns="client_id path sentense locale")
    assert message(tmp_path) == (
        f'{tmp_path}/train.tsv:1: no column "sentence" (found client_id, path, sentense, locale); did you mean '
        '"sentense"?; expected the header of a Common Voice table: client_id, path, sentence'
    )


def test_missing_column_without_a_near_one(tmp_path: Path) -> None:
    write_corpus(tmp_path, [], columns="client_id path locale")
    assert message(tmp_path) == (
        f'{tmp_path}/train.tsv:1: no column "sentence" (found client_id, path, locale); '
        "expected the header of a Common Voice table: client_id, path, sentence"
    )


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_bytes(b"")
    assert message(tmp_path).startswith(f'{tmp_path}/train.tsv:1: no column "client_id" (found ')


@pytest.mark.parametrize("path", ["../x.mp3", "/etc/x.mp3", "a/x.mp3", "..", ".", "", "x/"])
def test_clip_outside_the_folder(tmp_path: Path, path: str) -> None:
    write_corpus(tmp_path, [(ANNA, "1.mp3", "Een."), (ANNA, path, "Twee.")])
    assert message(tmp_path) == f'{tmp_path}/train.tsv:3: clip "{path}" is not a plain file name inside clips/'


def test_clip_that_occurs_twice(tmp_path: Path) -> None:
    write_corpus(tmp_path, [(ANNA, "1.mp3", "Een."), (BEN, "2.mp3", "Twee."), (ANNA, "1.mp3", "Drie.")])
    assert message(tmp_path) == (
        f'{tmp_path}/train.tsv:4: clip "1.mp3" is also in line 2 (expected one line per clip); remove one of them'
    )


def test_clip_that_occurs_twice_once_without_a_sentence(tmp_path: Path) -> None:
    write_corpus(tmp_path, [(ANNA, "1.mp3", ""), (ANNA, "1.mp3", "Drie.")])
    assert "is also in line 2" in message(tmp_path)


def test_invalid_utf8_names_its_line(tmp_path: Path) -> None:
    write_corpus(tmp_path, [(ANNA, "1.mp3", "Een.")])
    with open(tmp_path / "train.tsv", "ab") as file:
        file.write(b"x\t2.mp3\t\xff\n")
    assert message(tmp_path).startswith(f"{tmp_path}/train.tsv:3: is not valid UTF-8")


@pytest.mark.parametrize(
    ("client_id", "path", "spk_id", "utt_id"),
    [
        ("0123456789abcdef" * 8, "x.mp3", "0123456789abcdef", "0123456789abcdef-x"),
        ("0123456789abcdef" * 2, "x.mp3", "0123456789abcdef", "0123456789abcdef-x"),  # MD5
        ("0123456789abcdef0123", "x.mp3", "0123456789abcdef0123", "0123456789abcdef0123-x"),
        ("librivox_speaker_0001", "x.mp3", "librivox_speaker_0001", "librivox_speaker_0001-x"),
        ("anna", "clip.1.mp3", "anna", "anna-clip.1"),
        ("", "x.mp3", "unknown", "unknown-x"),
        ("anna b", "my clip.mp3", "anna_b", "anna_b-my_clip"),
        ("anna\u00a0b\u2003c", "my\u00a0clip\u2028.mp3", "anna_b_c", "anna_b_c-my_clip_"),
    ],
)
def test_ids_hold_no_white_space(client_id: str, path: str, spk_id: str, utt_id: str) -> None:
    assert make_spk_id(client_id) == spk_id
    assert make_utt_id(spk_id, path) == utt_id
    assert utt_id.split() == [utt_id]


def test_speakers_whose_client_ids_begin_alike_stay_apart(tmp_path: Path) -> None:
    write_corpus(tmp_path, [("librivox_speaker_0001", "1.mp3", "Een."), ("librivox_speaker_0002", "2.mp3", "Twee.")])
    assert [u.spk_id for u in read_tsv(tmp_path, "train").utterances] == [
        "librivox_speaker_0001",
        "librivox_speaker_0002",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [(f"{1:0128x}", f"{2:0128x}"), ("anna b", "anna_b"), ("", "unknown")],
    ids=["padded numbers", "white space", "nobody"],
)
def test_speakers_who_would_be_called_the_same_stay_apart_in_every_set(tmp_path: Path, one: str, other: str) -> None:
    write_corpus(tmp_path, [(one, "1.mp3", "Een."), (ANNA, "2.mp3", "Twee.")])
    write_corpus(tmp_path, [(other, "1.mp3", "Drie."), (one, "3.mp3", "Vier.")], set_name="test")
    sets = read(tmp_path, Wanted("nl")).sets
    first, anna = (u.spk_id for u in sets["train"].utterances)
    second, again = (u.spk_id for u in sets["test"].utterances)
    assert first == again != second and anna == "a" * 16
    plain = make_spk_id(one)
    assert {first[:-17], second[:-17]} == {plain} and first[-17] == "_"


def test_clips_whose_names_differ_in_their_ending(tmp_path: Path) -> None:
    write_corpus(tmp_path, [(ANNA, "1.mp3", "Een."), (ANNA, "1.wav", "Twee.")])
    assert message(tmp_path) == (
        f'{tmp_path}/train.tsv:3: clip "1.wav" is also in line 2 as "1.mp3" (expected one line per clip); '
        "remove one of them"
    )


def test_durations_that_the_release_states(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, [(ANNA, f"{n}.mp3", f"Zin {n}.") for n in range(4)])
    rows = ["clip\tduration[ms]", "0.mp3\t1500", "other.mp3\t1", "1.mp3\t2500.5", "2.mp3\tunknown", "3.mp3"]
    (corpus / "clip_durations.tsv").write_text("\n".join(rows) + "\n")
    table = read_tsv(corpus, "train")
    assert list(table.stated_s) == [1.5, 2.5005, 0, 0]
    assert table.notes == {"clips that clip_durations.tsv does not list": 2}


def test_durations_without_their_column(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, [(ANNA, "1.mp3", "Een.")])
    (corpus / "clip_durations.tsv").write_text("clip\tduration\n1.mp3\t1500\n")
    assert message(corpus) == (
        f'{tmp_path}/clip_durations.tsv:1: no column "duration[ms]" (found clip, duration); did you mean "duration"?; '
        "expected the header of a Common Voice table: clip, duration[ms]"
    )


def test_sets_that_are_there(tmp_path: Path) -> None:
    for name in ("test", "validated", "train"):
        write_corpus(tmp_path, [], set_name=name)
    assert list_sets(tmp_path) == ["train", "test"]


def test_validated_alone(tmp_path: Path) -> None:
    write_corpus(tmp_path, [], set_name="validated")
    write_corpus(tmp_path, [], set_name="other")
    assert list_sets(tmp_path) == ["validated"]


def no_tables(corpus: Path) -> str:
    with pytest.raises(SpnerError) as error:
        list_sets(corpus)
    return str(error.value).removeprefix(f"{corpus}: holds no train.tsv, dev.tsv, test.tsv or validated.tsv; ")


def test_folder_without_tables(tmp_path: Path) -> None:
    assert no_tables(tmp_path) == "give the folder of one language of an unpacked Common Voice release"


def test_folder_above_the_languages(tmp_path: Path) -> None:
    release = tmp_path / "cv-corpus-12.0"
    (tmp_path / "notes").mkdir()
    write_corpus(release / "nl", [])
    assert no_tables(release) == f"give the folder of one language: {release}/nl"
    for lang in ("fr", "de", "eo"):
        write_corpus(release / lang, [], set_name="validated")
    assert no_tables(tmp_path) == f"give the folder of one language: {release}/de or {release}/eo or {release}/fr, …"


def test_folder_of_the_clips(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    write_corpus(tmp_path, [])
    assert no_tables(tmp_path / "clips") == f"give the folder of one language: {tmp_path}"


# Sets made of validated.tsv


def test_split_of_a_release_without_validated(tmp_path: Path) -> None:
    write_corpus(tmp_path, [(ANNA, "1.mp3", "Een.")])
    with pytest.raises(SpnerError) as error:
        list_sets(tmp_path, split_validated=1)
    assert str(error.value) == (
        f"--split_validated: {tmp_path} holds no validated.tsv (found train); leave the option out"
    )


def test_split_passes_over_a_train_set_that_is_there(tmp_path: Path) -> None:
    """Small languages have a header alone there."""
    write_corpus(tmp_path, [])
    rows = [(str(n % 12), f"{n}.mp3", f"Zin {n}.") for n in range(60)]
    write_corpus(tmp_path, [*rows, ("12", "x.mp3", "")], set_name="validated")
    sets = read(tmp_path, Wanted("nl", split_validated=1)).sets
    assert list(sets) == list(SETS)
    assert {len(sets["dev"].utterances), len(sets["test"].utterances)} == {5}
    assert len(sets["train"].utterances) == 50 and len(sets["train"].empty) == 1


# Real releases


@pytest.mark.parametrize("set_name", ["dev", "test"])
def test_stray_quotes_of_a_real_release_lose_no_row(shared_data: Path, set_name: str) -> None:
    corpus = shared_data / "cv_tsv" / "en"
    lines = (corpus / f"{set_name}.tsv").read_bytes().decode().split("\n")
    table = read_tsv(corpus, set_name)
    assert len(table.utterances) == 16354
    assert table.empty == () and table.ragged_lines == ()
    assert [u.clip for u in table.utterances] == [line.split("\t")[1] for line in lines[1:] if line]
    assert sum('"' in sentence for sentence in sentences(table)) == sum('"' in line for line in lines)


@pytest.mark.parametrize(("lang", "num_speakers"), [("de", 84), ("fy-NL", 45)])
def test_release_6_1(shared_data: Path, lang: str, num_speakers: int) -> None:
    corpus = shared_data / "cv61_sample" / lang
    assert list_sets(corpus) == ["validated"]
    table = read_tsv(corpus, "validated")
    assert len(table.utterances) == 100
    assert len({utterance.spk_id for utterance in table.utterances}) == num_speakers
    assert all((corpus / "clips" / utterance.clip).is_file() for utterance in table.utterances)
