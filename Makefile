# Every target makes .venv by itself; nothing else is installed and nothing is asked.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-fast test-long test-cluster test-faults lint docs bench clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
DOCS_STAMP := $(VENV)/.installed-docs
HALF := $(VENV)/.installing
STUDY := results/digits
# The interpreters to try, in this order; `make PYTHON=/path/to/python3.12 test` names another.
PYTHON ?= python3.11 python3 python3.12 python3.13
# Without bytecode, which some containers switch off, each process that a test starts compiles our modules again.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest
# One install at a time, even under `make -j quickstart test`.
.NOTPARALLEL:

help:  ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

install: $(DEV_STAMP)  ## Make .venv with the pinned packages: what runs groupdir, and the tools for tests and lint

# install.py keeps the marker $(HALF) while .venv may be half installed. An install that was cut off leaves the marker,
# and the next one starts from an empty environment. Stamps are as old as their install's beginning, so an edit of
# pyproject.toml during an install counts.
define install
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
	$(BIN)/python install.py --venv $(VENV) --marker $(HALF) $(1)
endef

# An install of the tools installs what runs, too: both stamps are its own.
$(STAMP): pyproject.toml constraints.txt $(wildcard $(HALF))
	$(call install,--stamp $(STAMP))

$(DEV_STAMP): pyproject.toml constraints.txt $(wildcard $(HALF))
	$(call install,--stamp $(STAMP) --stamp $(DEV_STAMP) --extra dev)

$(DOCS_STAMP): pyproject.toml constraints.txt $(wildcard $(HALF))
	$(call install,--stamp $(STAMP) --stamp $(DOCS_STAMP) --extra docs)

quickstart: $(STAMP)  ## Search the built-in digits, show the front, write the report (5 minutes on 2 cores, after the install)
	@if [ -e $(STUDY) ]; then \
		echo "$(STUDY) exists: resuming it"; \
		$(BIN)/groupdir resume $(STUDY); \
	else \
		$(BIN)/groupdir search search_spaces/digits.yaml; \
	fi
	@$(BIN)/groupdir select $(STUDY) --shot few
	@$(BIN)/groupdir report $(STUDY)
	@echo
	@echo "Next, train the chosen configuration with five seeds and read the test set:"
	@echo "  source $(BIN)/activate"
	@echo "  groupdir train $(STUDY)/best_few.yaml --seeds 5 --beside vanilla"

test: $(DEV_STAMP)  ## All tests but the long ones and those that need a GPU or make hosts (8 minutes on 2 cores)
	$(PYTEST) -m "not long and not gpu and not hosts" --numprocesses=2 --dist=worksteal --durations=15

test-fast: $(DEV_STAMP)  ## The tests without Ray, wheel and golden runs (3 minutes on 2 cores)
	$(PYTEST) --numprocesses=auto --maxprocesses=4

test-long: $(DEV_STAMP)  ## The tests of several searches or kills, and pages followed to the letter (6 minutes on 2 cores)
	$(PYTEST) -m "long and not gpu" --numprocesses=2 --dist=worksteal --durations=15

test-cluster: $(DEV_STAMP)  ## A cluster of hosts on this machine, made and broken (needs root on Linux, sshd, rsync; 5 minutes)
	$(PYTEST) tests/cluster/test_hosts.py tests/cluster/test_on_premise.py \
		-m hosts -k "not seen_in_a_terminal and not head_dies" --durations=10

test-faults: $(DEV_STAMP)  ## The same hosts: the head dies, what the doctor finds, a spot notice, Slurm (also needs slurm; 15 minutes)
	$(PYTEST) tests/cluster -m hosts -k "doctor or spot or slurm or seen_in_a_terminal or head_dies" --durations=15

lint: $(DEV_STAMP)  ## Style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict groupdir launch analysis install.py

docs: $(DOCS_STAMP)  ## The documentation site in site/; a broken link or reference fails (a minute)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: $(DEV_STAMP)  ## The benchmarks, small
	@for script in tests/bench/bench_*.py; do \
		echo "== $$script"; \
		OMP_NUM_THREADS=1 $(BIN)/python "$$script" --quick; \
	done

clean:  ## Remove .venv and the caches; results/ stays
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
