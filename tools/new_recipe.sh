#!/usr/bin/env bash
# Makes a recipe for another language: egs/TEMPLATE/run.sh with the language filled in.
#
#   tools/new_recipe.sh cv_fr fr
set -euo pipefail
LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "tools/new_recipe.sh: error: $*" >&2; exit 2; }

[ $# -eq 2 ] || die "found $# arguments (expected the recipe's name and the language code, such as cv_fr fr)"
name="$1" lang="$2" templates="spner/mini/templates/$2.yaml"
[[ "${name}" =~ ^[A-Za-z0-9][A-Za-z0-9_-]*$ ]] || die "name ${name@Q} (expected letters, digits, _ and -, such as cv_fr)"
[[ "${lang}" =~ ^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$ ]] || die "language ${lang@Q} (expected a code such as fr or fy-NL)"
[ ! -e "egs/${name}" ] || die "egs/${name} is there already (expected a new name); give another, or remove it"
mkdir "egs/${name}"

# The comments stay in their column.
sed "s/^lang=\"\" \{${#lang}\}/lang=\"${lang}\"/" egs/TEMPLATE/run.sh > "egs/${name}/run.sh"
chmod +x "egs/${name}/run.sh"
echo "egs/${name}/run.sh: made"
[ -f "${templates}" ] ||
    echo "${lang} has no mini corpus yet: write ${templates} after nl.yaml, or give --corpus and --tagger"
