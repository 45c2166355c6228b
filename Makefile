# Every target makes .venv by itself; nothing else is installed and nothing is asked.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-fast test-cluster test-faults lint bench clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
HALF := $(VENV)/.installing
STUDY := results/digits
# The interpreters to try, in this order; `make PYTHON=/path/to/python3.12 test` names another.
PYTHON ?= python3.11 python3 python3.12 python3.13

help:  ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

install: $(STAMP)  ## Make .venv with the pinned versions

# The stamp is the marker of a begun install, renamed at its end: an install that was cut off leaves the marker, and
# the next one starts from an empty environment. The marker's age is the install's beginning, so an edit during it counts.
$(STAMP): pyproject.toml constraints.txt
	@for candidate in $(PYTHON); do \
		if "$$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$${python:-}" ]; then \
		echo "make: Python 3.11 or newer with its venv module is needed; tried: $(PYTHON)." >&2; \
		echo "make: install it (Debian, Ubuntu: python3.11 python3.11-venv), or name it: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi; \
	if [ -e $(HALF) ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "Making $(VENV) with $$("$$python" --version)"; \
		"$$python" -m venv --clear $(VENV); \
	fi; \
	rm -f $(STAMP); \
	touch $(HALF); \
	$(BIN)/python -m pip install --disable-pip-version-check --no-input -e ".[dev]" -c constraints.txt; \
	mv $(HALF) $(STAMP)

quickstart: $(STAMP)  ## Search the built-in digits, show the front, write the report (5 minutes on 2 cores)
	@if [ -e $(STUDY) ]; then \
		echo "$(STUDY) exists: going on with it"; \
		$(BIN)/python -m launch resume $(STUDY); \
	else \
		$(BIN)/python -m launch search search_spaces/digits.yaml; \
	fi
	@$(BIN)/python -m analysis select $(STUDY) --shot few
	@$(BIN)/python -m analysis report $(STUDY)
	@echo
	@echo "Next, train the chosen configuration with five seeds and read the test set:"
	@echo "  $(BIN)/groupdir train $(STUDY)/best_few.yaml --seeds 5 --beside vanilla"

test: test-fast  ## All tests but those that need a GPU or make hosts (12 minutes on 2 cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow and not gpu" --numprocesses=2 --dist=worksteal --durations=15

test-fast: $(STAMP)  ## The tests without Ray, wheel and golden runs (a minute or two)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4

test-cluster: $(STAMP)  ## A cluster of hosts on this machine, made and broken (needs root on Linux, sshd, rsync; 5 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/cluster/test_hosts.py tests/cluster/test_on_premise.py \
		-m hosts -k "not seen_in_a_terminal and not head_dies" --durations=10

test-faults: $(STAMP)  ## The same hosts: the head dies, what the doctor finds, a spot notice, Slurm (also needs slurm; 15 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/cluster -m hosts -k "doctor or spot or slurm or seen_in_a_terminal or head_dies" --durations=15

lint: $(STAMP)  ## Style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict groupdir launch analysis

bench: $(STAMP)  ## The benchmarks, small
	@for script in tests/bench/bench_*.py; do \
		echo "== $$script"; \
		OMP_NUM_THREADS=1 $(BIN)/python "$$script" --quick; \
	done

clean:  ## Remove .venv and the caches; results/ stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
