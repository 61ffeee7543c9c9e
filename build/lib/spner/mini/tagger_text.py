"""Gold text for the small text tagger of the mini corpus, in CoNLL column format.

::

    Marie B-PER
    Curie I-PER
    reist O

One token and its IOB2 tag a line, an empty line after each sentence, UTF-8, cased; punctuation marks are tokens. The
sentences are new ones from the corpus's templates and mention only a part of its names, so that the tagger's labels on
the corpus are imperfect, as real pseudo-labels are.
"""

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from spner.core.datatypes import Entity, Transcript
from spner.core.files import atomic_text
from spner.mini.make import read_settings
from spner.mini.names import DEFAULT_POOLS, PoolSizes, draw_tagger_pools
from spner.mini.phrasebook import read_phrasebook
from spner.mini.sentences import Sentence, draw_sentences
from spner.text.split import split_words
from spner.text.tags import spans_to_bio

OVERLAP = 0.85  # share of the corpus's names that the text mentions as well


def make_tagger_text(
    lang: str,
    *,
    num_sentences: int,
    seed: int = 1,
    pools: PoolSizes = DEFAULT_POOLS,
    shares: Mapping[str, float] | None = None,
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield sentences as tokens and IOB2 tags.

    Args:
        lang: a language with a templates file.
        num_sentences: sentences to draw; one may come again.
        seed: the corpus's seed, which decides on its names.
        pools: the corpus's.
        shares: the corpus's.

    Raises:
        SpnerError: no templates for ``lang``.
    """
    phrasebook = read_phrasebook(lang)
    names = draw_tagger_pools(phrasebook, pools, seed=seed, overlap=OVERLAP, shares=shares)
    rng = random.Random(f"tagger text {lang} {seed}")
    drawn = draw_sentences(phrasebook, names, rng=rng, unseen=0)
    for _ in range(num_sentences):
        transcript = _tokenise(next(drawn), lang)
        yield transcript.words, spans_to_bio(transcript)


def write_tagger_text(corpus: Path, out: Path, *, num_sentences: int) -> None:
    """Write sentences for a tagger of the mini corpus in ``corpus`` as a CoNLL column file.

    Raises:
        SpnerError: ``corpus`` is no mini corpus, or the language's templates are gone.
    """
    settings = read_settings(corpus)
    sentences = make_tagger_text(
        settings["lang"],
        num_sentences=num_sentences,
        seed=settings["seed"],
        pools=PoolSizes(**settings["pools"]),
        shares=settings.get("shares"),
    )
    with atomic_text(out) as file:
        for tokens, tags in sentences:
            file.writelines(f"{token} {tag}\n" for token, tag in zip(tokens, tags, strict=True))
            file.write("\n")


def _tokenise(sentence: Sentence, lang: str) -> Transcript:
    """Return the tokens and the entities on them; a token never crosses an entity's border (``Curie`` ``'s``)."""
    tokens: list[str] = []
    entities: list[Entity] = []

    def add(text: str) -> None:
        # English clitics stay whole inside the text: so were published numbers measured.
        tokens.extend(text[start:end] for start, end in split_words(text, lang, clitics=False))

    position = 0
    for start, end, label in sentence.spans:
        add(sentence.text[position:start])
        first = len(tokens)
        add(sentence.text[start:end])
        entities.append(Entity(first, len(tokens), label))
        position = end
    add(sentence.text[position:])
    return Transcript(tuple(tokens), tuple(entities))
