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
"""Share of a corpus's letters from which on the language must be wrong, or its script."""

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


def report_foreign(num_letters: int, foreign: Counter[str], lang: str, *, where: str) -> None:
    """Warn of letters of other scripts.

    Args:
        num_letters: as :func:`count_letters` counts.
        foreign: the same.
        lang: language code.
        where: what they were counted in, for the message.

    Raises:
        SpnerError: most letters are of another script.
    """
    num_foreign = foreign.total()
    if not num_foreign:
        return
    names = Locale("en").scripts
    own = f'{names.get(writing_system(lang), writing_system(lang))}, the script of lang "{lang}"'
    most = foreign.most_common(1)[0][0].title()
    if num_foreign > MOST * num_letters:
        code = next((code for code, name in names.items() if name == most), "")
        or_script = f", or its script as in {base_language(lang)}-{code}" if code else ""
        raise SpnerError(
            f"{where}: {num_foreign / num_letters:.0%} of its letters are of other scripts, most of them {most} "
            f"(expected {own}); give the corpus's language{or_script}"
        )
    scripts = ", ".join(f"{num} {script.title()}" for script, num in foreign.most_common())
    log.warning("%s: %d of %d letters are not %s: transliterated (%s)", where, num_foreign, num_letters, own, scripts)
