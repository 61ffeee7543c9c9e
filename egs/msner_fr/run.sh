#!/usr/bin/env bash
# What differs from ../TEMPLATE/settings.sh, which holds every setting; run.sh --help prints them.
lang="fr"
labels=slue
published=msner

# shellcheck source=egs/TEMPLATE/stages.sh
. "$(dirname "$(readlink -f "$0")")/../TEMPLATE/stages.sh"
