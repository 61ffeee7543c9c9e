"""Sentences -> the words that taggers label."""

import pytest

from spner.text.split import find_runs, split_words


@pytest.mark.parametrize(
    ("lang", "sentence", "words"),
    [
        ("nl", "Angela reist, zegt ze.", "Angela reist , zegt ze ."),
        ("nl", "'s-Hertogenbosch en 't Hof in '98", "'s-Hertogenbosch en 't Hof in '98"),
        ("nl", "(Noord-Holland) 3,5%!", "( Noord-Holland ) 3,5 % !"),
        ("nl", "J. Jansen, U.S.A. en/of A2.", "J. Jansen , U.S.A. en / of A2 ."),
        ("nl", "„Ja”, 'nee' - foto's", "„ Ja ” , ' nee ' - foto's"),
        ("nl", "Merkel's", "Merkel's"),
        ("en", "Merkel's isn't the Joneses'", "Merkel 's isn't the Joneses '"),
        ("en", "'s", "'s"),
        ("de", "Москва, 東京。", "Москва , 東京 。"),
        ("nl", " \t ", ""),
        ("en-US", "Merkel's", "Merkel 's"),
        ("nl", "d'Hont, O'Brien, 's nachts, 't en 'n", "d'Hont , O'Brien , 's nachts , 't en 'n"),
        ("fr", "L’Allemagne d'Hugo, s'il vous plaît", "L’ Allemagne d' Hugo , s' il vous plaît"),
        ("fr", "aujourd'hui prud'homme O'Brien N'Djamena", "aujourd'hui prud'homme O'Brien N'Djamena"),
        ("fr", "« Qu'est-ce qu'Anne a lu ? »", "« Qu' est-ce qu' Anne a lu ? »"),
        ("fr", "jusqu'à l'ONU 'libre'", "jusqu' à l' ONU ' libre '"),
        ("it", "un po' dell'ONU, dell' ONU", "un po' dell' ONU , dell' ONU"),
        ("ca", "l'Hospitalet i Sant Cel·loni", "l' Hospitalet i Sant Cel·loni"),
        ("hi", "दिल्ली में।", "दिल्ली में ।"),
        ("haw", "'Ōlelo Hawaiʻi", "'Ōlelo Hawaiʻi"),
        ("ja", "東京へ行く、Sony 3号。", "東 京 へ 行 く 、 Sony 3 号 。"),
        ("th", "ไป\u200bกำแพง", "ไ ป กำ แ พ ง"),
    ],
)
def test_split_words(lang: str, sentence: str, words: str) -> None:
    spans = list(split_words(sentence, lang))
    assert " ".join(sentence[start:end] for start, end in spans) == words
    visible = "".join(sentence.replace("\u200b", "").split())
    assert "".join(sentence[start:end] for start, end in spans) == visible


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        ("Jan woont hier .", "Jan woont hier ."),
        ("東 京 へ 行 く 。", "東京へ行く。"),
        ("東 京 、 Sony の 人 ！", "東京、 Sony の人！"),
        ("ไ ป กำ แ พ ง", "ไปกำแพง"),
        ("서울 에", "서울 에"),
        ("l' onu", "l' onu"),
        ("", ""),
    ],
)
def test_runs_of_words_without_spaces(words: str, runs: str) -> None:
    found = words.split()
    assert " ".join("".join(found[start:end]) for start, end in find_runs(found)) == runs
