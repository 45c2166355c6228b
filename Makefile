# Every target creates .venv if it is missing. Nothing else is installed, and no target asks a question.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-fast test-long test-cluster test-faults gpu-check lint docs bench clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
DOCS_STAMP := $(VENV)/.installed-docs
HALF := $(VENV)/.installing
STUDY := results/digits
# Interpreters to try, in this order. `make PYTHON=/path/to/python3.12 test` names another one.
PYTHON ?= python3.11 python3 python3.12 python3.13
# Some containers switch bytecode off. Then each process that a test starts would compile our modules again.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest
# Run one install at a time, even with `make -j quickstart test`.
.NOTPARALLEL:

help:  ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

install: $(DEV_STAMP)  ## Create .venv with the pinned packages that groupdir, the tests and the linters need

# install.py keeps the marker $(HALF) while .venv may be incomplete. An interrupted install leaves the marker, and the
# next install starts from an empty environment. A stamp has the time at which its install began, so an edit of
# pyproject.toml during an install triggers another one.
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

# An install of the tools also installs the packages that groupdir needs, so it writes both stamps.
$(STAMP): pyproject.toml constraints.txt $(wildcard $(HALF))
	$(call install,--stamp $(STAMP))

$(DEV_STAMP): pyproject.toml constraints.txt $(wildcard $(HALF))
	$(call install,--stamp $(STAMP) --stamp $(DEV_STAMP) --extra dev)

$(DOCS_STAMP): pyproject.toml constraints.txt $(wildcard $(HALF))
	$(call install,--stamp $(STAMP) --stamp $(DOCS_STAMP) --extra docs)

quickstart: $(STAMP)  ## Search the built-in digits, confirm the choice, write the report, show the front (5 minutes on 2 cores after the install)
	@if [ -e $(STUDY) ]; then \
		echo "$(STUDY) exists: resuming it"; \
		$(BIN)/groupdir resume $(STUDY); \
	else \
		$(BIN)/groupdir search search_spaces/digits.yaml; \
	fi
	@$(BIN)/groupdir report $(STUDY)
	@echo
	@$(BIN)/groupdir select $(STUDY) --shot few
	@echo "(before you type a groupdir command: source $(BIN)/activate)"

test: $(DEV_STAMP)  ## Run all tests except the long ones and those that need a GPU or simulated hosts (10 minutes on 2 cores)
	$(PYTEST) -m "not long and not gpu and not hosts" --numprocesses=2 --dist=worksteal --durations=15

test-fast: $(DEV_STAMP)  ## Run the tests without Ray, wheel and golden runs (3 minutes on 2 cores)
	$(PYTEST) --numprocesses=auto --maxprocesses=4

test-long: $(DEV_STAMP)  ## Run the tests with several searches or kills, and the commands of the pages (12 minutes on 2 cores)
	$(PYTEST) -m "long and not gpu" --numprocesses=2 --dist=worksteal --durations=15

test-cluster: $(DEV_STAMP)  ## Simulate hosts, start a cluster on them and inject failures (root on Linux, sshd, rsync; 5 minutes)
	$(PYTEST) tests/cluster/test_hosts.py tests/cluster/test_on_premise.py \
		-m hosts -k "not seen_in_a_terminal and not head_dies" --durations=10

test-faults: $(DEV_STAMP)  ## More tests on simulated hosts: death of the head, lost storage and network, doctor, spot notice, Slurm (needs slurm too; 20 minutes)
	$(PYTEST) tests/cluster -m hosts -k "doctor or spot or slurm or partitions or seen_in_a_terminal or head_dies" --durations=15

gpu-check: $(DEV_STAMP)  ## Check and measure everything that runs on a GPU, and write a table (planned for 8 minutes on an H100)
	$(BIN)/python tests/gpu/check.py

lint: $(DEV_STAMP)  ## Check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict groupdir launch analysis install.py

docs: $(DOCS_STAMP)  ## Build the documentation site in site/ and check its links and references (a minute)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: $(DEV_STAMP)  ## Run small versions of the speed benchmarks
	@for script in tests/bench/bench_*.py; do \
		echo "== $$script"; \
		OMP_NUM_THREADS=1 $(BIN)/python "$$script" --quick; \
	done

clean:  ## Remove .venv and the caches, but keep results/
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
