"""Letters of other scripts than the language's: they are transliterated, so a corpus says how many it has."""

import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable

from babel import Locale

from spner.core.errors import SpnerError
from spner.text.languages import base_language, writing_system
from spner.text.textnorm import is_foreign

MOST = 0.5
"""Share of the letters from which on the language must be wrong, or its script."""

log = logging.getLogger(__name__)


def count_letters(sentences: Iterable[str], lang: str) -> tuple[int, Counter[str]]:
    """Return the number of letters, and of those of other scripts by the script, such as ``CYRILLIC``."""
    signs: Counter[str] = Counter()
    for sentence in sentences:
        signs.update(sentence)
    letters = {sign: num for sign, num in signs.items() if unicodedata.category(sign).startswith("L")}
    foreign: Counter[str] = Counter()
    for sign, num in letters.items():
        if is_foreign(sign, lang):
            foreign[unicodedata.name(sign, "UNKNOWN").split()[0]] += num
    return sum(letters.values()), foreign


def warn_of_foreign(num_letters: int, foreign: Counter[str], lang: str, *, where: str) -> None:
    """Warn of letters of other scripts, if there are any.

    Args:
        num_letters: as :func:`count_letters` counts.
        foreign: the same.
        lang: language code.
        where: what they were counted in, for the message.
    """
    if foreign:
        scripts = ", ".join(f"{num} {script.title()}" for script, num in foreign.most_common())
        log.warning(
            "%s: %d of %d letters are not %s: transliterated (%s)",
            *(where, foreign.total(), num_letters, _name_own_script(lang), scripts),
        )


def refuse_most(num_letters: int, foreign: Counter[str], lang: str, *, where: str) -> None:
    """Refuse text most of whose letters are of other scripts; the arguments are those of :func:`warn_of_foreign`.

    Raises:
        SpnerError: they are; the message names the script.
    """
    if foreign.total() <= MOST * num_letters:
        return
    most = foreign.most_common(1)[0][0].title()
    code = next((code for code, name in Locale("en").scripts.items() if name == most), "")
    or_script = f", or its script as in {base_language(lang)}-{code}" if code else ""
    raise SpnerError(
        f"{where}: {foreign.total() / num_letters:.0%} of its letters are of other scripts, most of them {most} "
        f"(expected {_name_own_script(lang)}); give the corpus's language{or_script}"
    )


def _name_own_script(lang: str) -> str:
    script = writing_system(lang)
    return f'{Locale("en").scripts.get(script, script)}, the script of lang "{lang}"'
