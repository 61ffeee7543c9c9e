"""Capitals for lower-case words: how training sentences write each word, in names and elsewhere.

One line a word in a file: as it is mostly written outside names, a tab, as it is mostly written in names; one side may
be empty::

    is
    Nederland<TAB>Nederland
    bank<TAB>Bank
    <TAB>Merkel
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, read_lines
from spner.text.textnorm import normalise_words

ENDS = frozenset(".!?:…")  # what a new sentence may follow


@dataclass(frozen=True)
class Casing:
    """The written forms of lower-case words.

    Attributes:
        elsewhere: outside names.
        in_names: inside.
    """

    elsewhere: Mapping[str, str] = field(default_factory=dict)
    in_names: Mapping[str, str] = field(default_factory=dict)

    def write(self, transcript: Transcript, *, lang: str | None) -> tuple[str, ...]:
        """Return the words of one sentence as they are written.

        A name's word that training never had in a name begins with a capital, except a small word in the middle: that
        of "Bank of England".
        """
        words = [self.elsewhere.get(word, word) for word in transcript.words]
        for entity in transcript.entities:
            for place in range(entity.start, entity.end):
                word = transcript.words[place]
                small = entity.start < place < entity.end - 1 and self.elsewhere.get(word) == word
                words[place] = self.in_names.get(word) or (word if small else capitalise(words[place], lang))
        return (capitalise(words[0], lang), *words[1:]) if words else ()


def capitalise(word: str, lang: str | None) -> str:
    """Return the word with a capital; Dutch capitalises both letters of "ij"."""
    num = 2 if lang == "nl" and word.startswith("ij") else 1
    return word[:num].upper() + word[num:]


def count_casing(sentences: Iterable[tuple[str, Transcript]], lang: str) -> Casing:
    """Return the most frequent form of each word.

    The first word of a sentence counts only in names: elsewhere its capital says nothing.

    Args:
        sentences: cased sentences, each with its words and entities.
        lang: selects the normalisation.
    """
    counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for sentence, transcript in sentences:
        places = {place for entity in transcript.entities for place in range(entity.start, entity.end)}
        for place, (form, begins) in enumerate(_find_forms(sentence, lang)):
            if form and (place in places or not begins):
                counts[place in places][form] += 1
    return Casing(*({form.lower(): form for form in sorted(one, key=lambda f: (one[f], f))} for one in counts))


def _find_forms(sentence: str, lang: str) -> Iterator[tuple[str, bool]]:
    """Yield the written form of each word, empty where it is not the word with capitals, and whether it begins."""
    begins = True
    end = 0
    for word in normalise_words(sentence, lang):
        begins = begins or bool(ENDS & set(sentence[end : word.start]))
        form = sentence[word.start : word.end]
        yield form if form.lower() == word.text else "", begins
        begins, end = False, word.end


def write_casing(path: Path, casing: Casing) -> None:
    """Write the forms, sorted by their words."""
    with atomic_text(path) as file:
        for word in sorted(casing.elsewhere.keys() | casing.in_names.keys()):
            file.write(f"{casing.elsewhere.get(word, '')}\t{casing.in_names.get(word, '')}".rstrip("\t") + "\n")


def read_casing(path: Path) -> Casing:
    """Read a file of :func:`write_casing`.

    Raises:
        SpnerError: a line has more than one tab, or two forms of different words.
    """
    elsewhere: dict[str, str] = {}
    in_names: dict[str, str] = {}
    for line_number, line in enumerate(read_lines(path), start=1):
        form, _, name = line.partition("\t")
        if "\t" in name or (form and name and form.lower() != name.lower()):
            raise SpnerError(f"{path}:{line_number}: expected the forms of one word, with a tab between them")
        elsewhere |= {form.lower(): form} if form else {}
        in_names |= {name.lower(): name} if name else {}
    return Casing(elsewhere, in_names)
