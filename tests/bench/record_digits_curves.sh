#!/usr/bin/env bash
# Records learning curves for simulated searches: 320 configurations of search_spaces/digits.yaml, half of a quasi-random
# design and half drawn at random, each trained to the end with two seeds. The first 64 of each half get four more seeds.
# Two hours on two cores; studies that exist already are resumed.
#   tests/bench/record_digits_curves.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-results/digits_curves}
python=${PYTHON:-.venv/bin/python}
record() {  # sampler, seed, trials
    local study=$folder/$1-$2
    if [ -e "$study" ]; then
        "$python" -m launch resume "$study"
    else
        "$python" -m launch search search_spaces/digits.yaml --out "$study" \
            --set name="$1-$2" --set seed="$2" --set search.seeds=shared --set search.trials="$3" \
            --set "search.sampler={name: $1}" --set "search.scheduler={name: none}" \
            --set "search.confirm=null" --set "search.ablations={}" --set search.checkpoint_every=30
    fi
}
for sampler in qmc random; do
    for seed in 0 1; do record $sampler $seed 160; done
    for seed in 2 3 4 5; do record $sampler $seed 64; done
done
"$python" -m launch export-curves "$folder"/* --out tests/data/digits_curves.parquet
