#!/usr/bin/env bash
# What differs from ../TEMPLATE/settings.sh, which holds every setting; run.sh --help prints them.
lang="en"
labels=slue
preset=slue
published=slue_voxpopuli

# shellcheck source=egs/TEMPLATE/stages.sh
. "$(dirname "$(readlink -f "$0")")/../TEMPLATE/stages.sh"
