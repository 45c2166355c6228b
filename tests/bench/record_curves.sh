#!/usr/bin/env bash
# Records learning curves for simulated searches: 128 configurations of a quasi-random design, each trained to its end with
# two seeds, as for tests/data/NAME_curves.parquet. Studies that exist already are resumed.
#   tests/bench/record_curves.sh faces|stsb|diamonds [FOLDER]
# stsb needs GROUPDIR_DATA, diamonds DIAMONDS_CSV (see write_diamonds.py). Half an hour each for faces and stsb on two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."
name=$1
folder=${2:-results/${name}_curves}
python=${PYTHON:-.venv/bin/python}
trials=128
space=search_spaces/$name.yaml
case $name in
    faces) trials=128 ;;
    stsb) ;;
    diamonds)
        space=tests/bench/diamonds.yaml
        mkdir -p "$folder"
        [ -e "$folder/diamonds.csv" ] || "$python" tests/bench/write_diamonds.py "$DIAMONDS_CSV" "$folder/diamonds.csv"
        DIAMONDS=$(realpath "$folder")
        export DIAMONDS
        ;;
    *) echo "unknown name: $name" >&2; exit 2 ;;
esac
for seed in 0 1; do
    study=$folder/seed-$seed
    if [ -e "$study" ]; then
        "$python" -m launch resume "$study"
    else
        "$python" -m launch search "$space" --out "$study" --set name="$name-$seed" --set seed="$seed" \
            --set search.seeds=shared --set search.trials="$trials" --set "search.sampler={name: qmc}" \
            --set "search.scheduler={name: none}" --set "search.confirm=null" --set "search.ablations={}" \
            --set search.checkpoint_every=30
    fi
done
"$python" -m launch export-curves "$folder"/seed-* --out "tests/data/${name}_curves.parquet"
