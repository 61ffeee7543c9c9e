"""Results as a page: a player, words that light up while they are spoken, names in colour, a list of names to click.

The page is one file and needs no network; the recording is not in it but is named by its place beside the page.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from spner import __version__
from spner.tag.subtitles import class_of, clock
from spner.tag.tagged import Entity, Tagged, TaggedSegment, Word

UNSURE = 0.5  # words and names of a lower confidence are pale


def to_html(tagged: Tagged, *, audio_url: str | None) -> Iterator[str]:
    """Yield the page.

    Args:
        tagged: a recording.
        audio_url: where the page finds it; without it, the page has no player.
    """
    names = _group(tagged)
    player = f'<audio controls preload="metadata" src="{escape(audio_url)}"></audio>\n' if audio_url else ""
    yield _template().substitute(
        lang=escape(tagged.lang or ""),
        title=escape(tagged.audio),
        player=player,
        segments="".join(map(_show_segment, tagged.segments)) or "<p>No words were found.</p>\n",
        num_names=f"{len(names)} names" if len(names) != 1 else "1 name",
        names="".join(_show_names(label, names) for label in dict.fromkeys(label for label, _ in names)),
        footer=escape(f"{clock(tagged.duration_s)[:-4]} · spner {__version__}"),
    )


@cache
def _template() -> Template:
    return Template(files("spner.tag").joinpath("templates/recording.html").read_text(encoding="utf-8"))


def _group(tagged: Tagged) -> dict[tuple[str, str], list[Entity]]:
    """Return the mentions of each name, by label and text; by label, then most mentioned first."""
    found: dict[tuple[str, str], list[Entity]] = defaultdict(list)
    for entity in tagged.entities:
        found[entity.label, entity.text].append(entity)
    return dict(sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1])))


def _show_names(label: str, names: dict[tuple[str, str], list[Entity]]) -> str:
    rows = [_show_name(text, mentions) for (one, text), mentions in names.items() if one == label]
    return f'<h2 class="{class_of(label)}">{escape(label)}</h2>\n<ul>\n{"".join(rows)}</ul>\n'


def _show_name(text: str, mentions: list[Entity]) -> str:
    buttons = " ".join(
        f'<button data-t="{one.start_s:.3f}" title="{_confidence(one)}">{clock(one.start_s)[:-4]}</button>'
        for one in mentions
    )
    return f"<li>{escape(text)} {buttons}</li>\n"


def _confidence(part: Word | Entity) -> str:
    return "" if part.confidence is None else f"{100 * part.confidence:.0f} %"


def _show_segment(segment: TaggedSegment) -> str:
    speaker = f'<span class="speaker">{escape(segment.speaker)}:</span> ' if segment.speaker else ""
    start = f'<time><button data-t="{segment.start_s:.3f}">{clock(segment.start_s)[:-4]}</button></time>'
    return f"<p>{start}<span>{speaker}{_show_words(segment)}</span></p>\n"


def _show_words(segment: TaggedSegment) -> str:
    """Return the words, each with its time, those of an entity inside its mark; what is around it in a word is not."""
    parts: list[str] = []
    entities = list(segment.entities)
    opened: Entity | None = None
    for word in segment.words:
        at = word.start_char
        while at < word.end_char:
            if not opened and entities and entities[0].start_char <= at:
                opened = entities.pop(0)
                parts.append(_open_mark(opened))
            ends = [opened.end_char] if opened else [one.start_char for one in entities[:1]]
            end = min([word.end_char, *ends])
            whole = (at, end) == (word.start_char, word.end_char)
            text = escape(segment.text[at:end])
            parts.append(_time(word, text) if opened or whole else text)
            at = end
            if opened and opened.end_char <= at:
                parts.append("</mark>")
                opened = None
        parts.append(" ")
    return "".join(parts).rstrip()


def _open_mark(entity: Entity) -> str:
    label = escape(entity.label)
    return f'<mark class="{class_of(entity.label)}" data-label="{label}" title="{_confidence(entity)}">'


def _time(word: Word, text: str) -> str:
    unsure = ' class="unsure"' if word.confidence is not None and word.confidence < UNSURE else ""
    return f'<span data-t="{word.start_s:.3f}" data-e="{word.end_s:.3f}"{unsure}>{text}</span>'
