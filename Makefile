# Kizuna. `make test` and `make check` create what they need: the virtual environment and the npm packages.

VENV  := .venv
PY    := $(VENV)/bin/python
FORGE := node_modules/.bin/forge
export OMP_NUM_THREADS := 1
export OMP_WAIT_POLICY := PASSIVE
export TOKENIZERS_PARALLELISM := false

.PHONY: help setup demo test test-python test-contracts test-deep gas check contracts clean

help: ## what the targets do
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "==> Python packages into $(VENV) (torch is large: some minutes the first time)"
	python3 -m venv $(VENV)
	$(PY) -m pip install --progress-bar on --constraint constraints.txt --editable '.[dev]'
	@touch $@

node_modules/.installed: package.json package-lock.json
	@echo "==> npm packages: compiler, local chain, OpenZeppelin"
	npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

setup: $(VENV)/.installed node_modules/.installed ## install everything the other targets need

demo: setup ## the whole protocol on this machine: a few minutes
	$(PY) -m scripts.demo

contracts: setup ## compile the contracts and write their ABI and bytecode
	$(PY) -m scripts.build_contracts

gas: setup ## measure what transactions cost and write snapshots/gas.json
	$(PY) -m scripts.gas --write

test: test-contracts test-python ## every test

test-contracts: setup
	@echo "==> contract tests"
	$(PY) -m scripts.forge_test

test-python: setup
	@echo "==> Python tests"
	$(PY) -m pytest

check: setup ## lint, types, import directions, formatting, committed artifacts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy kizuna trainer verifier scripts
	$(VENV)/bin/lint-imports
	$(FORGE) fmt --check
	$(PY) -m scripts.build_contracts --check

clean: ## remove everything the other targets made
	rm -rf $(VENV) node_modules out cache build runs .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
