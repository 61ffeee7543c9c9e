"""What is logged where."""

import logging
import os
import warnings


def set_up_logging() -> None:
    """Show our own messages and everybody's warnings; the file that SPNER_LOG names gets ESPnet's messages, too."""
    screen = logging.StreamHandler()
    screen.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    screen.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.startswith("spner"))
    handlers: list[logging.Handler] = [screen]
    if os.environ.get("SPNER_LOG"):
        handlers.append(logging.FileHandler(os.environ["SPNER_LOG"], encoding="utf-8"))
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=handlers)
    warnings.simplefilter("ignore", FutureWarning)
    warnings.filterwarnings("ignore", r"(?s).*CUDA is not available")
