#!/usr/bin/env bash
# Makes a recipe for another language: its run.sh, a README.md to write in, and its line in egs/README.md.
#
#   tools/new_recipe.sh cv_it it
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"  # sh tools/new_recipe.sh
set -euo pipefail
unset CDPATH
LC_ALL=C
cd "$(dirname "$(readlink -f "$0")")/.."

die() { echo "tools/new_recipe.sh: error: $*" >&2; exit 2; }

[ $# -eq 2 ] || die "found $# arguments (expected the recipe's name and the language code, such as cv_it it)"
name="$1" lang="$2" templates="spner/mini/templates/$2.yaml"
[[ "${name}" =~ ^[A-Za-z0-9][A-Za-z0-9_-]*$ ]] || die "name ${name@Q} (expected letters, digits, _ and -, such as cv_it)"
[[ "${lang}" =~ ^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$ ]] || die "language ${lang@Q} (expected a code such as fr or fy-NL)"
[ ! -e "egs/${name}" ] || die "egs/${name} is there already (expected a new name); give another, or remove it"
mkdir "egs/${name}"

sed "s/^lang=\"\"/lang=\"${lang}\"/" egs/TEMPLATE/run.sh > "egs/${name}/run.sh"
chmod +x "egs/${name}/run.sh"
cat > "egs/${name}/README.md" << EOF
# ${name} (${lang})

Nothing has been measured yet. Write here what the corpora hold and what the systems score, as
[\`cv_nl\`](../cv_nl/README.md) does.
EOF
row="| [\`${name}\`](${name}/README.md) | ${lang} | the same |"
sed "s,^| \[\`benchmark\`\],${row}\n&," egs/README.md > egs/.README.md && mv egs/.README.md egs/README.md
echo "egs/${name}: made, and listed in egs/README.md"
[ -f "${templates}" ] ||
    echo "${lang} has no mini corpus yet: write ${templates} after nl.yaml, or give --corpus and --tagger"
