import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spner.core.datatypes import Entity, Transcript
from spner.text.textnorm import APOSTROPHES, is_foreign, normalise, normalise_transcript, normalise_words, project

LANGS = st.sampled_from(
    [
        "nl",
        "de",
        "en",
        "ru",
        "el",
        "zh",
        "fr",
        "ka",
        "it",
        "ca",
        "tr",
        "uz",
        "haw",
        "he",
        "fa",
        "th",
        "my",
        "ja",
        "nan-tw",
        "hy",
        "ar",
    ]
)
# Letters of several scripts, combining marks, apostrophes, joiners, fillers and signs, densely mixed.
SENTENCES = st.one_of(
    st.text(alphabet="abÀßëïéĳIJİıΑθЖч北京ㅤªʰ²Ⅷ\u0301\u0308\u0307'’ʼ`-_. ,&5", max_size=20),
    st.text(alphabet="ldnqulhoge'’ʻ·\u0140\u200c\u200d\u00ad\u200b\"׳ אגΣσς ", max_size=20),
    st.text(alphabet="กำไท ่မြန်ာヶー々aé1\u200cبیـُ Ա՛ ", max_size=20),
    st.text(max_size=20),
).map(lambda text: unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("lang", "sentence", "expected"),
    [
        ("nl", "Angela Merkel reist naar Amsterdam.", "angela merkel reist naar amsterdam"),
        ("nl", "De foto's van Noord-Holland", "de fotos van noord holland"),
        ("nl", "'s-Hertogenbosch", "s hertogenbosch"),
        ("en", "Merkel's car isn't here, the dogs' bowl is.", "merkel's car isn't here the dogs bowl is"),
        ("en", "rock ’n’ roll", "rock n roll"),
        ("en", "it’s", "it's"),
        ("en", "Merkel 's car, 'S', 's.", "merkel 's car s 's"),
        ("en", "fooʼʼbar", "foobar"),
        ("de", "Die Straße nach Köln: STRASSE, STRAẞE", "die straße nach köln strasse straße"),
        ("nl", "Coördinatie, één, België, reünie", "coördinatie één belgië reünie"),
        ("nl", "\u0133s en \u0132sland", "\u0133s en \u0133sland"),
        ("nl", "cafe\u0301", "café"),
        ("nl", "q\u0308", "q\u0308"),
        ("tr", "İstanbul IĞDIR, Işık Iğdır’a", "istanbul ığdır ışık ığdıra"),
        ("az", "İmişli rayonu, QIRMIZI", "imişli rayonu qırmızı"),
        ("nl", "İstanbul en Iran", "istanbul en iran"),
        ("fr", "L’Allemagne et l'ONU", "l' allemagne et l' onu"),
        ("fr", "aujourd'hui, prud’homme, O'Brien, N'Djamena", "aujourd'hui prud'homme o'brien n'djamena"),
        ("fr", "S'il dit qu'Anne n'a jusqu'à l'A380", "s' il dit qu' anne n' a jusqu' à l' a380"),
        ("fr", "D'Artagnan, quelqu'un, va-t'en, 'libre'", "d' artagnan quelqu'un va t' en libre"),
        ("it", "dell'ONU nell’UE un'altra C'è un po' d'acqua", "dell' onu nell' ue un' altra c' è un po' d' acqua"),
        (
            "ca",
            "La col·lecció de Sant Cel·loni, l'Hospitalet, COĿLECCIÓ",
            "la col·lecció de sant cel·loni l' hospitalet col·lecció",
        ),
        ("oc", "d'Auvèrnhe, in·humà, un · punt", "d' auvèrnhe in·humà un punt"),
        ("nl", "d'Hont, 's nachts, 't, 'n, O'Brien, a·b", "dhont s nachts t n obrien a b"),
        ("en", "d'Hont O'Brien", "d'hont o'brien"),
        ("br", "c’hoar d'an", "cʼhoar dʼ an"),
        ("uk", "м’ята, 'так'", "мʼята так"),
        ("be", "сям'я", "сямʼя"),
        ("gn", "mba'e ka’i", "mbaʼe kaʼi"),
        ("haw", "ʻŌlelo Hawai‘i", "ʻōlelo hawaiʻi"),
        ("uz", "O‘zbekiston tog' ma’no", "oʻzbekiston togʻ maʼno"),
        ("he", 'צה"ל ג\'ורג\', "שלום"', "צה״ל ג׳ורג׳ שלום"),
        ("hy-AM", "Ինչո՞ւ, այո՛։", "ինչու այո"),
        ("rw", "n'Amerika y'u Rwanda", "n' amerika y' u rwanda"),
        ("kab", "Agʷ d γef Σli", "agʷ d ɣef ɛli"),
        ("ro", "Braşov și Constanţa", "brașov și constanța"),
        ("fa", "می‌خواهم كتاب‌", "می‌خواهم کتاب"),
        ("ar", "محمـــد\u200f", "محمد"),
        (
            "nl",
            "Am\u00adster\u00addam, Neder\u200bland, Noord\u2060holland, \ufeffa\ufe0f",
            "amsterdam nederland noordholland a",
        ),
        ("bn", "র\u200d্যাব ঢাকায়", "র্যাব ঢাকায়"),
        ("hi", "नमस्\u200dते", "नमस्ते"),
        ("te", "సాఫ్ట్\u200cవేర్", "సాఫ్ట్\u200cవేర్"),
        ("ml", "കൊച്ചി ഒരു നഗരമാണ്.", "കൊച്ചി ഒരു നഗരമാണ്"),
        ("dv", "މާލެ އަކީ", "މާލެ އަކީ"),
        ("kn", "ಬೆಂಗಳೂರು ನಗರ.", "ಬೆಂಗಳೂರು ನಗರ"),
        ("pa-IN", "ਅੰਮ੍ਰਿਤਸਰ ਸ਼ਹਿਰ.", "ਅੰਮ੍ਰਿਤਸਰ ਸ਼ਹਿਰ"),
        ("gu", "અમદાવાદ શહેર.", "અમદાવાદ શહેર"),
        ("nan-tw", "Tâi-pak ū saⁿ lâng. 台北", "tâi pak ū saⁿ lâng 台 北"),
        ("zh-CN", "我在北京用 iPhone12，好。Путин", "我 在 北 京 用 iphone12 好 putin"),
        ("ja", "東京へ行くラーメン、ｱﾊﾟｰﾄ", "東 京 へ 行 く ラ ー メ ン ア パ ー ト"),
        ("th", "กรุงเทพฯ ๒๕ กำลัง", "ก รุ ง เ ท พ ฯ ๒๕ กำ ลั ง"),
        ("lo", "ພາສາລາວ", "ພ າ ສ າ ລ າ ວ"),
        ("km", "ខ្មែរ", "ខ្មែ រ"),
        ("my", "မြန်မာ ၏", "မြ န် မာ ၏"),
        ("ko", "서울에 가다", "서울에 가다"),
        ("el", "ΣΩΚΡΆΤΗΣ", "σωκράτης"),
        ("nl", "Σωκράτης en Москва en 北京", "sokratis en moskva en beijing"),
        ("nl", "हिन्दी", "hindi"),
        ("nl", "й\u0301", "y"),
        ("ru", "Москва и Paris é e\u0323\u0301", "москва и paris e e"),
        ("ru", "Москва и Paris", "москва и paris"),
        ("el", "Σωκράτης", "σωκράτης"),
        ("en", "5G at 10:30 - A & B", "5g at 10 30 a b"),
        ("de", "", ""),
        ("de", " … ’ – ", ""),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
def test_normalise(lang: str, sentence: str, expected: str) -> None:
    assert normalise(sentence, lang) == expected


def test_words_know_where_they_came_from() -> None:
    sentence = "Op 3 mei: 's-Gravenhage!"
    assert [sentence[word.start : word.end] for word in normalise_words(sentence, "nl")] == [
        "Op",
        "3",
        "mei",
        "s",
        "Gravenhage",
    ]


@given(SENTENCES, LANGS)
@example("aʼʼb", "en")
@example("a'\u3164", "en")
@example("e'\u0301", "nl")
@example("ª\u0301", "ru")
@example("l'\u0140 ", "ca")
@example("ΟΔΟΣ'", "el")
def test_normalise_is_idempotent(sentence: str, lang: str) -> None:
    once = normalise(sentence, lang)
    assert normalise(once, lang) == once


@given(SENTENCES, LANGS)
def test_normalised_text_is_lower_case_nfc_without_marks_of_punctuation(sentence: str, lang: str) -> None:
    text = normalise(sentence, lang)
    assert text == unicodedata.normalize("NFC", text)
    kinds = {unicodedata.category(c)[0] for c in text if c not in " '·׳״\u200c၏"}
    assert "'" not in text or lang in ("en", "fr", "it", "ca")
    assert kinds <= {"L", "M", "N"}
    assert "  " not in text and text == text.strip()


@given(SENTENCES, LANGS)
def test_word_spans_are_ordered_and_hold_each_words_letters(sentence: str, lang: str) -> None:
    position = 0
    for word in normalise_words(sentence, lang):
        assert position <= word.start < word.end <= len(sentence)
        assert normalise(sentence[word.start : word.end], lang) == word.text
        position = word.end


@given(st.lists(SENTENCES, max_size=6), LANGS, st.data())
def test_normalise_transcript_moves_entities_with_their_words(words: list[str], lang: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(words)), max_size=4)))
    entities = tuple(Entity(a, b, "LOC") for a, b in zip(cuts[::2], cuts[1::2], strict=False))
    result = normalise_transcript(Transcript(tuple(words), entities), lang)
    phrases = [normalise(" ".join(words[e.start : e.end]), lang) for e in entities]
    assert [result.phrase(e) for e in result.entities] == [phrase for phrase in phrases if phrase]


def test_normalise_transcript_drops_and_splits_words() -> None:
    transcript = Transcript(("De", "-", "Noord-Holland", "..."), (Entity(1, 2, "ORG"), Entity(2, 4, "LOC")))
    assert normalise_transcript(transcript, "nl") == Transcript(("de", "noord", "holland"), (Entity(1, 3, "LOC"),))


def _marked(text: str) -> tuple[str, list[tuple[int, int, str]]]:
    """Read ``"[PER Jan]s huis"`` as a sentence and its labelled character spans."""
    sentence, spans = "", []
    for piece in text.replace("]", "[").split("["):
        label, _, name = piece.partition(" ")
        if label in ("PER", "ORG", "LOC"):
            spans.append((len(sentence), len(sentence) + len(name), label))
            piece = name
        sentence += piece
    return sentence, spans


@pytest.mark.parametrize(
    ("lang", "marked", "expected"),
    [
        ("nl", "[PER Angela Merkel] reist naar [LOC Amsterdam].", [("PER", "angela merkel"), ("LOC", "amsterdam")]),
        ("en", "[PER Merkel]'s car", [("PER", "merkel's")]),
        ("nl", "[PER Merkel]'s auto", [("PER", "merkels")]),
        ("nl", "in [LOC 's-Hertogenbosch]!", [("LOC", "s hertogenbosch")]),
        ("nl", "[LOC Noord-Holland]-kaart", [("LOC", "noord holland")]),
        ("nl", "[LOC Noord]-Holland", [("LOC", "noord")]),
        ("de", "Fußballstadion[ORG  in]", [("ORG", "in")]),
        ("de", "[LOC Ba]hnhof", []),
        ("nl", "[PER ...] niemand", []),
        ("nl", "[PER Piet][ORG Jans] samen", [("PER", "pietjans")]),
        ("nl", "[LOC Москва] is ver", [("LOC", "moskva")]),
        ("nl", "op [LOC België]", [("LOC", "belgië")]),
        ("nl", "[PER Jan][PER  Piet]", [("PER", "jan"), ("PER", "piet")]),
        ("en", "[ORG 3M] and [ORG AT&T]", [("ORG", "3m"), ("ORG", "at t")]),
        ("it", "Il capo dell'[ORG ONU] vive", [("ORG", "onu")]),
        ("fr", "vers l’[LOC Allemagne] d'[PER Anna]", [("LOC", "allemagne"), ("PER", "anna")]),
        ("fr", "chez [ORG L'Oréal]", [("ORG", "l' oréal")]),
        ("ja", "[LOC 東京]へ", [("LOC", "東 京")]),
        ("th", "ไป[LOC กำแพง]", [("LOC", "กำ แ พ ง")]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_project(lang: str, marked: str, expected: list[tuple[str, str]]) -> None:
    sentence, spans = _marked(marked)
    transcript = project(sentence, spans, lang)
    assert [(e.label, transcript.phrase(e)) for e in transcript.entities] == expected
    assert " ".join(transcript.words) == normalise(sentence, lang)


def test_project_takes_spans_in_any_order_and_the_first_keeps_a_shared_word() -> None:
    transcript = project("New York City", [(4, 13, "ORG"), (0, 8, "LOC")], "en")
    assert transcript.entities == (Entity(0, 2, "LOC"), Entity(2, 3, "ORG"))


@given(SENTENCES, LANGS, st.data())
def test_every_entitys_words_come_from_its_own_characters(sentence: str, lang: str, data: st.DataObject) -> None:
    limits = st.integers(0, len(sentence))
    spans = data.draw(st.lists(st.tuples(limits, limits, st.sampled_from(["PER", "ORG"])), max_size=4))
    words = normalise_words(sentence, lang)
    transcript = project(sentence, [span for span in spans if span[0] < span[1]], lang)
    assert transcript.words == tuple(word.text for word in words)
    for entity in transcript.entities:
        for word in words[entity.start : entity.end]:
            letters = [i for i in range(word.start, word.end) if sentence[i] not in APOSTROPHES]
            assert any(
                2 * len([i for i in letters if start <= i < end]) >= len(letters)
                for start, end, label in spans
                if label == entity.label
            )


@given(SENTENCES, LANGS)
@example("\u05b0", "nl")
def test_an_entity_over_the_whole_sentence_holds_every_word(sentence: str, lang: str) -> None:
    transcript = project(sentence, [(0, len(sentence), "LOC")], lang)
    assert transcript.entities == ((Entity(0, len(transcript.words), "LOC"),) if transcript.words else ())


def test_apostrophes_cover_the_ones_people_type() -> None:
    assert {"'", "’", "‘", "`"} <= APOSTROPHES


@pytest.mark.parametrize("lang", ["en", "EN", "en-US", "en_GB"])
def test_a_country_does_not_change_the_language(lang: str) -> None:
    assert normalise("Don't!", lang) == "don't"


@pytest.mark.parametrize(
    ("char", "lang", "foreign"),
    [
        ("é", "nl", False),
        ("Ж", "nl", True),
        ("é", "ru", True),
        ("ー", "ja", False),
        ("e", "ja", True),
        ("ʼ", "nl", False),
        ("5", "nl", False),
        ("ш", "zh", True),
        ("γ", "kab", False),
        ("µ", "nl", False),
    ],
)
def test_letters_of_other_scripts(char: str, lang: str, foreign: bool) -> None:
    assert is_foreign(char, lang) is foreign
