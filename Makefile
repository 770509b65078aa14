# One virtual environment, .venv, installed from hashed pins, serves every target.
# Paths are relative on purpose: the repository may live under a path with spaces.

PYTHON ?= python3
BIN := .venv/bin
UV ?= $(BIN)/uv
JOBS ?= 2
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup drill test check bench verdicts soak ledger catalogue lock clean

help: ## say what each target does
	@echo "failover: make <target>"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target does; do \
		printf '  %-9s %s\n' "$$target" "$$does"; done

setup: $(INSTALLED) ## create .venv from the lock file and install failover into it

$(INSTALLED): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "failover needs Python 3.11 or newer as '$(PYTHON)'. Name another one: make setup PYTHON=python3.12" >&2; \
		exit 1; }
	@echo "setup: installing the locked requirements into .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(INSTALLED)

drill: $(INSTALLED) ## run every scenario in scenarios/ and judge it
	$(BIN)/failover drill scenarios/

test: $(INSTALLED) ## run the tests (JOBS=2 at a time)
	$(BIN)/python -m pytest -n $(JOBS)

# The core is held to 100 % by tests/core alone: a line that only a drill happens to run is not tested.
check: $(INSTALLED) ## lint, formatting, types, and every line and branch of the core covered
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/core -n $(JOBS) --cov=failover.core --cov-branch --cov-fail-under=100 \
		--cov-report=term-missing:skip-covered

bench: $(INSTALLED) ## measure the router beside litellm's, a simulated day beside a bare heap, a replay beside litellm
	$(BIN)/python benchmarks/router.py
	$(BIN)/python benchmarks/stream.py
	$(BIN)/python benchmarks/failoverbench.py
	$(BIN)/python benchmarks/simulate.py
	$(BIN)/python benchmarks/replay.py

verdicts: $(INSTALLED) ## let llmock break everything and judge the router, and litellm's beside it
	$(BIN)/python -m benchmarks.llmock_verdicts --peer

# Not part of .ci/run: it takes a quarter of an hour. tests/edge/test_soak.py runs a short one.
soak: $(INSTALLED) ## a million calls and 400,000 from threads, with faults: nothing may be left behind
	$(BIN)/python -m benchmarks.soak

FACTS ?= ../shared/facts

catalogue: $(INSTALLED) ## make the shipped catalogue of retirements of FACTS/deprecations.csv
	$(BIN)/python -m benchmarks.lifecycle_catalogue $(FACTS)

# Not part of .ci/run either: a minute and more. tests/edge/test_ledger_kills.py runs a short one.
ledger: $(INSTALLED) ## 64 writers spend 100,000 times against one ledger file, and are killed all the time
	$(BIN)/python -m benchmarks.ledger

# Keeps the pins that still fit; `make lock LOCK_FLAGS=--upgrade` takes the newest of everything.
lock: ## pin every requirement of pyproject.toml with hashes
	@command -v $(UV) > /dev/null || { echo "lock needs uv: run 'make setup', or name one: make lock UV=uv" >&2; exit 1; }
	@$(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" --quiet $(LOCK_FLAGS) \
		--output-file requirements/dev.lock

clean: ## remove .venv, caches and build products
	rm -rf .venv build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find failover tests -name __pycache__ -type d -prune -exec rm -rf {} +
