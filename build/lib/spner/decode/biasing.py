"""Contextual biasing: a language model that also knows the user's names.

One name a line; a tab and a label, and a tab and a weight (1 by default), may follow::

    Jokkmokk<TAB>LOC
    Nilüfer Yıldız<TAB>PER<TAB>2
    # a line that begins so is a comment

The model is estimated anew, on sentences that mention the names as well. A name replaces an entity
of its label (of every label, if none is given), so that it appears in the contexts of such names.
"""

import logging
import math
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from spner.core import paths
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError, nearest, quote
from spner.core.files import atomic_text, read_json, read_lines
from spner.core.training import beside_recipe, read_config
from spner.data.tokens import find_labels, find_symbols
from spner.lm.build import make_lm, read_words
from spner.text.tags import spans_to_text, text_to_spans
from spner.text.textnorm import normalise

MENTIONS = 8
"""Sentences for a name of weight 1, and a label: of 2, 4, 8 and 16 the least with the best F1 on the mini corpus's
dev set, with and without a thousand names besides the right ones."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Name:
    """A name of the list, as normalised words."""

    words: tuple[str, ...]
    labels: tuple[str, ...]
    weight: float


def read_names(path: Path, *, lang: str, tokens: Sequence[str]) -> list[Name]:
    """Read a list of names; empty lines and comments are skipped, and with a warning what the tokens cannot spell.

    Args:
        path: as above.
        lang: selects the normalisation.
        tokens: the recogniser's token list; a name of other characters cannot be written.

    Raises:
        SpnerError: the file is missing or holds no name that can be spelt, a line cannot be a name, a label is
            unknown, or a weight is not above 0.
    """
    if not path.is_file():
        raise SpnerError(f"{path}: no such file (expected a list of names, one a line); give another --boost")
    characters, labels = set("".join(tokens)), find_labels(tokens)
    names: list[Name] = []
    num_skipped = 0
    for line_number, line in enumerate(read_lines(path), start=1):
        if line.lstrip().startswith("#"):
            continue
        name, label, weight, *rest = (*map(str.strip, line.split("\t")), "", "")
        _require_one_name(name, labels, f"{path}:{line_number}")
        if rest[2:]:
            raise SpnerError(f"{path}:{line_number}: more than name, label and weight; expected two tabs at most")
        if label and label not in labels:
            raise SpnerError(
                f'{path}:{line_number}: label "{label}" (expected {", ".join(labels)} or none){nearest(label, labels)}'
            )
        words = tuple(normalise(name, lang).split())
        if words and characters >= set("".join(words)):
            names.append(Name(words, (label,) if label else labels, _weight(weight, f"{path}:{line_number}")))
        elif name:
            num_skipped += 1
    if num_skipped:
        log.warning("%s: %d names are left out: the recogniser lacks some of their letters", path, num_skipped)
    if not names:
        raise SpnerError(f"{path}: holds no name that the recogniser can spell (expected one a line); mend the list")
    return names


def _require_one_name(text: str, labels: Sequence[str], where: str) -> None:
    """Refuse what is no name: several on a line, or a label after a space, which would be a word of the name."""
    spaced = re.search(rf"\s({'|'.join(labels)})(\s+[\d.]+)?$", text)
    if spaced or re.search(r"[,;|<>]", text):
        found = f'a label after a space, "{spaced[1]}"' if spaced else "a separator"
        raise SpnerError(
            f"{where}: {quote(text)} holds {found} (expected one name a line, then a tab before a label); mend the line"
        )


def _weight(text: str, where: str) -> float:
    try:
        weight = float(text or 1)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise SpnerError(f'{where}: weight "{text}" (expected a number above 0)')
    return weight


def mention(names: Sequence[Name], sentences: Iterable[Sequence[str]], *, labels: Sequence[str]) -> list[str]:
    """Return tagged sentences that mention the names, :data:`MENTIONS` for each label of a name of weight 1.

    Args:
        names: to mention.
        sentences: tagged text, words and symbols; those with entities lend their words. Where none has an entity of a
            label, a name stands alone.
        labels: those of the symbols.
    """
    carriers: dict[str, list[tuple[Transcript, Entity]]] = defaultdict(list)
    for sentence in dict.fromkeys(map(tuple, sentences)):
        transcript = text_to_spans(sentence, labels=labels).transcript
        for entity in transcript.entities:
            carriers[entity.label].append((transcript, entity))
    rng = random.Random("boost")
    mentions = []
    for name in names:
        for label in name.labels:
            alone = (Transcript(("",), (Entity(0, 1, label),)), Entity(0, 1, label))
            for _ in range(max(1, round(MENTIONS * name.weight))):
                mentions.append(spans_to_text(_replace(*rng.choice(carriers[label] or [alone]), name)))
    return mentions


def _replace(transcript: Transcript, replaced: Entity, name: Name) -> Transcript:
    """Return the sentence with a name in the place of one of its entities."""
    shift = len(name.words) - (replaced.end - replaced.start)
    words = (*transcript.words[: replaced.start], *name.words, *transcript.words[replaced.end :])
    entities = [
        Entity(e.start + shift * (e.start > replaced.start), e.end + shift * (e.start >= replaced.start), e.label)
        for e in transcript.entities
    ]
    return Transcript(words, tuple(entities))


def boost_lm(names_file: Path, lm: Path | None, exp: Path, *, lang: str, out: Path) -> tuple[Path, int]:
    """Estimate a language model anew, with text that mentions the names as well; return its ARPA file, and how many.

    Args:
        names_file: the names, as above.
        lm: folder of ``spner lm``; its settings and texts are used again.
        exp: experiment folder of the recogniser.
        lang: decides how the names are normalised.
        out: folder to make the model in.

    Raises:
        SpnerError: ``lm`` is no folder of ``spner lm`` whose texts are still there, or the list is malformed.
    """
    if lm is None or not (lm / paths.LM_RECORD).exists():
        raise SpnerError(f"--boost {names_file}: biasing needs a language model; give --lm, the folder of spner lm")
    token_list = read_config(exp)["token_list"]
    names, symbols = read_names(names_file, lang=lang, tokens=token_list), find_symbols(token_list)
    settings = read_json(lm / paths.LM_RECORD)["settings"]
    inputs = [beside_recipe(Path(name), exp) for name in settings["inputs"]]
    for missing in (path for path in inputs if not path.exists()):
        raise SpnerError(
            f"{missing}: is missing, but {lm} was made from it; make the language model again with spner lm"
        )
    dump = inputs[0].parent
    texts = [path for path in inputs if not path.is_relative_to(dump)]
    sentences = chain(
        read_words(dump / paths.TRAIN / paths.TEXT, symbols, kaldi=True),
        *(read_words(path, symbols) for path in texts),
    )
    mentions = out / "mentions.txt"
    with atomic_text(mentions) as file:
        file.writelines(f"{sentence}\n" for sentence in mention(names, sentences, labels=find_labels(token_list)))
    make_lm(
        dump, out, unit=settings["unit"], order=settings["order"], prune=settings["prune"], texts=[*texts, mentions]
    )
    return out / paths.LM_ARPA, len(names)
