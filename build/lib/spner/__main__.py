"""``python -m spner``."""

from spner.cli import main

main()
