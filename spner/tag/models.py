"""What a model is to this room: anything that gives posteriors of frames, how they are searched, and its tagger."""

from dataclasses import dataclass

from spner.decode.beam_search import Search
from spner.decode.posteriors import AcousticModel
from spner.scoring.calibration import TimingCalibration
from spner.tag.tagger import TagText
from spner.text.casing import Casing
from spner.text.tags import CLOSE


@dataclass(frozen=True)
class SpeechModel:
    """A recogniser with its search.

    Attributes:
        recogniser: gives the posteriors.
        search: posteriors to hypotheses.
        calibration: of the confidences; None leaves them raw.
        lang: ISO 639-1 code of what it was trained on; None where nothing says.
        casing: how its words are written.
        tag_text: of a pipeline: finds the entities in the words.
    """

    recogniser: AcousticModel
    search: Search
    calibration: TimingCalibration | None = None
    lang: str | None = None
    casing: Casing = Casing()
    tag_text: TagText | None = None

    @property
    def writes_entities(self) -> bool:
        """Whether entity symbols are among its tokens, or it has a tagger."""
        return self.tag_text is not None or CLOSE in self.recogniser.token_list
