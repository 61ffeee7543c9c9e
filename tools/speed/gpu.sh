#!/usr/bin/env bash
# Prints how fast training and decoding with XLS-R's real shape are on a GPU; sized for four minutes of an H100. Needs no data
# and no network: weights are random, audio is noise.
#
#   tools/speed/gpu.sh               on the GPU
#   tools/speed/gpu.sh cpu           the same, few utterances, to see that it runs: some minutes
#
# PATH's python must have spner's packages: PATH="$(tools/setup.sh):${PATH}" tools/speed/gpu.sh
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
device="${1:-cuda}" speed="${root}/tools/speed"
export PYTHONPATH="${root}${PYTHONPATH:+:${PYTHONPATH}}"
case "${device}" in
cuda) num_utts=2000 train_step=(--batch_s 112 224 448 --steps 8 --systems spner transformers "espnet+s3prl") bins=1800000 repeats=2 ;;
cpu) num_utts=20 train_step=(--batch_s 10 --steps 1 --systems spner "espnet+s3prl") bins=80000 repeats=1 ;;
*) echo "gpu.sh: error: device ${device} (expected cuda or cpu)" >&2; exit 2 ;;
esac
work="$(mktemp -d)"
trap 'rm -r "${work}"' EXIT

took() { echo "gpu.sh: $1: ${SECONDS} s since the start"; }
spner() { python -m spner "$@"; }

python "${speed}/train_step.py" --shape xls_r_300m --device "${device}" --precision bf16 "${train_step[@]}"
took "training steps"
python "${speed}/real_shape.py" inputs "${work}" --num_utts "${num_utts}"
spner data --corpus "${work}/corpus" --lang nl --out "${work}/data"
spner annotate --lang nl --data "${work}/data"
spner tokens --data "${work}/data" --out "${work}/dump"
spner train --data "${work}/data" --dump "${work}/dump" --exp "${work}/exp" --config "${root}/conf/train_xlsr.yaml" \
    --set "frontend_conf.upstream=${work}/weights/random.pt" --set "batch_bins=${bins}" --set max_epoch=1
took "a training of one epoch"
python "${speed}/real_shape.py" sharpen "${work}/exp"
spner lm --dump "${work}/dump" --out "${work}/lm" --unit token --order 6 --lang nl
python "${speed}/decode.py" --data "${work}/data" --exp "${work}/exp" --lm "${work}/lm" --device "${device}" \
    --num_utts "${num_utts}" --repeats "${repeats}" --no_espnet
took "decoding"
