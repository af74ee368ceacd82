# Kizuna. Every target creates what it needs: virtual environments, npm packages, for the deep tests Kubo.

VENV  := .venv
# Brownie pins other versions of nearly everything, so it has an environment of its own.
BROWNIE := .venv-brownie
PY    := $(VENV)/bin/python
FORGE := node_modules/.bin/forge
export OMP_NUM_THREADS := 1
export OMP_WAIT_POLICY := PASSIVE
export TOKENIZERS_PARALLELISM := false

.PHONY: help setup demo test test-python test-contracts test-deep test-brownie brownie kubo gas check contracts clean

help: ## what the targets do
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "==> Python packages into $(VENV) (torch is large: some minutes the first time)"
	python3 -m venv $(VENV)
	$(PY) -m pip install --progress-bar on --constraint constraints.txt --editable '.[dev,ipfs]'
	@touch $@

node_modules/.installed: package.json package-lock.json
	@echo "==> npm packages: compiler, local chain, OpenZeppelin"
	npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

$(BROWNIE)/.installed: pyproject.toml constraints-brownie.txt
	@echo "==> Brownie into $(BROWNIE) (torch is large: some minutes the first time)"
	python3 -m venv $(BROWNIE)
	$(BROWNIE)/bin/python -m pip install --progress-bar on --constraint constraints-brownie.txt --editable '.[brownie]'
	@touch $@

build/kubo/ipfs: tests/support/kubo/go.mod
	@echo "==> Kubo into build/kubo (needs Go 1.26; some minutes the first time)"
	mkdir -p build/kubo
	cp tests/support/kubo/go.mod build/kubo/go.mod
	cd build/kubo && go build -mod=mod -o ipfs github.com/ipfs/kubo/cmd/ipfs

setup: $(VENV)/.installed node_modules/.installed ## install everything the other targets need

demo: setup ## the whole protocol on this machine: a few minutes
	$(PY) -m scripts.demo

contracts: setup ## compile the contracts and write their ABI and bytecode
	$(PY) -m scripts.build_contracts

gas: setup ## measure what transactions cost and write snapshots/gas.json
	$(PY) -m scripts.gas --write

test: test-contracts test-python ## every test but the deep ones

test-contracts: setup
	@echo "==> contract tests"
	$(PY) -m scripts.forge_test

test-python: setup
	@echo "==> Python tests"
	$(PY) -m pytest

test-deep: test-brownie kubo ## what takes long: Brownie, a real Kubo node, many more random games
	@echo "==> contract tests, deep"
	FOUNDRY_PROFILE=deep $(PY) -m scripts.forge_test
	@echo "==> Python tests, deep"
	$(PY) -m pytest -m deep
	$(PY) -m pytest --hypothesis-profile=deep tests/unit/chain/test_state_machine*.py

test-brownie: setup brownie ## the contracts through Brownie, on its own development network
	@echo "==> Brownie tests"
	mkdir -p build/home
	HOME=$(CURDIR)/build/home $(BROWNIE)/bin/brownie test tests/brownie

brownie: $(BROWNIE)/.installed ## Brownie in an environment of its own

kubo: build/kubo/ipfs ## a Kubo node for the deep tests

check: setup ## lint, types, import directions, formatting, committed artifacts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy kizuna trainer verifier scripts
	$(VENV)/bin/lint-imports
	$(FORGE) fmt --check
	$(PY) -m scripts.build_contracts --check

clean: ## remove everything the other targets made
	rm -rf $(VENV) $(BROWNIE) node_modules out cache build runs .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
