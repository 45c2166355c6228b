#!/usr/bin/env bash
# Records the curves of the benchmark: 320 configurations of search_spaces/digits.yaml, half of a quasi-random design and
# half drawn at random, each trained to the end with two seeds. An hour on two cores; what is there already is kept.
#   tests/bench/record_digits_curves.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-results/digits_curves}
python=${PYTHON:-.venv/bin/python}
for seed in 0 1; do
    for sampler in qmc random; do
        study=$folder/$sampler-$seed
        if [ -e "$study" ]; then
            "$python" -m launch resume "$study"
        else
            "$python" -m launch search search_spaces/digits.yaml --out "$study" \
                --set name="$sampler-$seed" --set seed=$seed --set search.trials=160 \
                --set "search.sampler={name: $sampler}" --set "search.scheduler={name: none}" \
                --set "search.ablations={}" --set search.checkpoint_every=30
        fi
    done
done
"$python" -m launch export-curves "$folder"/* --out tests/data/digits_curves.parquet
