# `make demo` and `make test` do all set-up by themselves: they need make and Python 3.11 or 3.12, nothing else.
#
#   make demo     the main job on a simulated holiday, live in the terminal
#   make test     lint, strict types, tests
#   make format   what the linter can mend by itself
#   make lock     write the pinned requirements anew (needs uv)
#   make clean    remove what the other targets made
#
# PYTHON=... names the interpreter, DEMO=... the demo's folder, PYTEST_ARGS=... goes to pytest.

VENV        := .venv
BIN         := $(VENV)/bin
DEMO        ?= demo
UV          ?= uv
PYTEST_ARGS ?=
SECOND_SEED ?= 20260501

SOURCES     := flowwatch simulators tests benchmarks examples
PIP         := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
ITSELF      := $(PIP) install --no-deps --no-build-isolation --editable .
COMPILE     := $(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
               --no-annotate --custom-compile-command "make lock"
SUITABLE    := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))

.DEFAULT_GOAL := help
.PHONY: help demo test lint types tests format lock clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.ready-to-run
	@$(BIN)/flowwatch demo --data $(DEMO)

test: lint types tests

lint: $(VENV)/.ready-to-test
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/.ready-to-test
	$(BIN)/mypy

# The whole suite under one hash seed, then everything but what is slow for other reasons than determinism under another.
tests: $(VENV)/.ready-to-test
	PYTHONHASHSEED=0 $(BIN)/pytest -q -rs -n 2 --dist worksteal $(PYTEST_ARGS)
	PYTHONHASHSEED=$(SECOND_SEED) $(BIN)/pytest -q -rs -n 2 --dist worksteal -m "determinism or not slow" $(PYTEST_ARGS)

format: $(VENV)/.ready-to-test
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

lock:
	$(COMPILE) --group build --output-file requirements.lock
	$(COMPILE) --group dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist

$(BIN)/python:
	@for python in $(PYTHON) python3.12 python3.11 python3 python; do \
	  if $$python -c '$(SUITABLE)' 2>/dev/null; then \
	    echo "setting up $(VENV) with $$($$python --version)"; exec $$python -m venv --clear $(VENV); \
	  fi; \
	done; \
	echo "flowwatch needs Python 3.11 or 3.12 with its venv module; none of $(strip $(PYTHON) python3.12 python3.11 python3 python) is one." >&2; \
	echo "On Debian and Ubuntu: apt install python3 python3-venv. Another place: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
	exit 1

$(VENV)/.ready-to-run: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing what flowwatch needs (once)"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(ITSELF)
	@touch $@

$(VENV)/.ready-to-test: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "installing what flowwatch and its tests need (once)"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@$(ITSELF)
	@touch $@ $(VENV)/.ready-to-run
