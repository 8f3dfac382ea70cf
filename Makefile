# On a new machine: `make quickstart` runs the main job, `make test` passes all tests.
#
# PYTHON       the interpreter that makes .venv (3.11 to 3.13)
# TORCH_INDEX  where to take torch from; on a machine without a GPU
#              TORCH_INDEX=https://download.pytorch.org/whl/cpu saves some gigabytes
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
# vLLM wants other versions of some packages, so it has an environment of its own (4 GB).
VLLM := .venv-vllm
# What pip says is shown: which file of how many MB, and how far it is. `PIP_OPTIONS=--quiet` leaves it out.
PIP_OPTIONS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check $(PIP_OPTIONS)
VLLM_PIP := $(VLLM)/bin/python -m pip --disable-pip-version-check $(PIP_OPTIONS)
# Two processes, each with whole files, since what the tests of a file share is made once; the quickstart goes first.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
TORCH_OPTIONS := $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),)
# Convolutions spend half their time in page faults unless freed memory is kept (docs/performance.md).
FAST := MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=268435456

.PHONY: quickstart test test-fast test-engines check bench bench-engines real install clean

quickstart: $(VENV)/.installed
	$(FAST) $(BIN)/cvr quickstart

test: $(VENV)/.installed-dev
	$(PYTEST)

# The inner loop: what needs no real model, server, browser or real data and does not take seconds.
test-fast: $(VENV)/.installed-dev
	$(PYTEST) -m "not engine and not data and not slow"

test-engines: $(VLLM)/.installed
	$(VLLM)/bin/python -m pytest tests/engines

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.installed-dev
	for name in concepts embed fdca mining mining_recall models ranking; do \
	    $(FAST) $(BIN)/python speed/$$name.py || exit 1; done

bench-engines: $(VLLM)/.installed
	$(FAST) $(VLLM)/bin/python speed/generation.py

real: $(VENV)/.installed
	$(FAST) $(BIN)/cvr run real --in real

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Installing into $(VENV): 89 packages, about 390 MB to download without torch, which is 190 MB in its build for CPUs"
	@echo "(TORCH_INDEX=https://download.pytorch.org/whl/cpu) and some gigabytes with CUDA. Files that pip has kept are not fetched again."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	$(PIP) install $(TORCH_OPTIONS) -c constraints.txt torch
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing what tests and checks need: about 210 MB to download."
	$(PIP) install -c constraints.txt -e ".[dev]"
	touch $@

$(VLLM)/.installed: pyproject.toml constraints-vllm.txt
	@echo "Installing vLLM into $(VLLM): about 4 GB on disk."
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM_PIP) install --upgrade pip
	$(VLLM_PIP) install $(TORCH_OPTIONS) -c constraints-vllm.txt torch
	$(VLLM_PIP) install --no-deps -r constraints-vllm.txt -e .
	touch $@

clean:
	rm -rf build dist quickstart .pytest_cache .mypy_cache .ruff_cache
