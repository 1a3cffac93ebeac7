# Needs Python 3.11 or newer, make and a shell. `make PYTHON=python3.12 …` names another Python
# when .venv is made (`make clean` first to change it).
# Environments are made by scripts/venv.sh, which does nothing when .venv is as the locks say.

PYTHON ?= python3
export PYTHON

IN := .venv/bin
# The tool that writes the lock files; nothing else uses it.
LOCKER := uv==0.13.9
QUESTION := Explain quantum computing in simple terms.
SEED ?= 0
N ?= 1000
# `make test ARGS="-k money"` hands its value to pytest.
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo venv test lint types check simulate soak matrix mutants money rotation bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: ## install the core, fetch two small models, ask them one question (no key needed)
	@scripts/venv.sh demo
	@$(IN)/ultrai local pull
	@$(IN)/ultrai ask -c LOCAL "$(QUESTION)"

venv: ## .venv with the package, all extras and the test tools; quick when nothing changed
	@scripts/venv.sh dev

test: venv ## every test
	@scripts/clients.sh
	@$(IN)/python -m pytest -n 2 $(ARGS)

lint: venv ## ruff, its formatter, and the layers
	@$(IN)/python -m ruff check .
	@$(IN)/python -m ruff format --check .
	@$(IN)/lint-imports --no-cache

types: venv ## mypy, strict
	@$(IN)/python -m mypy

check: lint types test ## lint, types and test

simulate: venv ## one simulated world, told event by event: make simulate SEED=7
	@$(IN)/python -m tests.simulation.soak --seed $(SEED)

soak: venv ## thousands of simulated worlds, and what they covered: make soak N=10000
	@$(IN)/python -m tests.simulation.soak --worlds $(N)

matrix: venv ## write docs/fault-matrix.md and docs/scenarios.md: what you see of every fault
	@$(IN)/python -m tests.simulation.matrix --write
	@$(IN)/python -m tests.simulation.gallery --write

mutants: venv ## break the engine on purpose and see that the tests notice
	@$(IN)/python scripts/mutation_check.py $(ARGS)

money: venv ## ledger and bill, leaks, storms of kill -9 against budgets: make money N=100
	@$(IN)/python -m tests.contract.money.reconciled
	@$(IN)/python -m tests.contract.money.leaks
	@$(IN)/python -m tests.contract.money.storm $(if $(filter command line,$(origin N)),$(N),20)

rotation: venv ## rotate a key while questions are asked: make rotation N=3
	@$(IN)/python -m tests.contract.money.rotation $(if $(filter command line,$(origin N)),$(N),3)

bench: venv ## speed and memory, side by side with a bare aiohttp loop
	@$(IN)/python bench/run.py $(ARGS)

lock: ## write requirements/*.txt anew from pyproject.toml
	@PYTHON="$(PYTHON)" LOCKER="$(LOCKER)" scripts/lock.sh

clean: ## remove .venv, caches and build output
	@rm -rf tests/clients/js/node_modules
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	@find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
