# Every target runs in .venv, which is made on first use and brought up to date whenever
# pyproject.toml or constraints.txt change. `make PYTHON=/path/to/python` picks the interpreter.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?=

# Constraints hold in pip's own build environments too; older pips read the first name there, newer ones the second.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RECENT := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

.PHONY: help setup demo test test-slow test-all lint types docs notebooks clean

help:
	@echo "make setup      install everything into .venv; the other targets do it first"
	@echo "make demo       compare mel and leaf on synthetic audio (no data needed)"
	@echo "make test       the default tests; test-slow the long ones, test-all both"
	@echo "make lint       ruff; types: mypy"
	@echo "make docs       HTML into docs/_build/html, warnings are errors"
	@echo "make notebooks  run notebooks/*.py and store their outputs as .ipynb"
	@echo "make clean      remove what the other targets wrote, .venv excepted"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@rm -f $@
	@if ! $(BIN)/python -c 'import pip; $(RECENT)' 2>/dev/null; then \
	  for found in $(PYTHON) python3.11 python3.12 python3.13 python3 python; do \
	    "$$found" -c '$(RECENT)' 2>/dev/null && break; \
	    found=; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "No Python 3.11 or newer with venv was found. Give one: make PYTHON=/path/to/python" >&2; exit 1; \
	  fi; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	@echo "Installing into $(VENV) (minutes on first use)"
	@$(BIN)/python -m pip install -qq --editable '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/leaf-sklearn demo

test: $(READY)
	@$(BIN)/python -m pytest -q

test-slow: $(READY)
	@$(BIN)/python -m pytest -q -m slow

test-all: test test-slow

lint: $(READY)
	@$(BIN)/ruff check

types: $(READY)
	@$(BIN)/mypy

docs: $(READY)
	@rm -rf docs/generated docs/auto_examples docs/_build
	@$(BIN)/python -m sphinx -q -W --keep-going docs docs/_build/html
	@LEAF_SKLEARN_SITE=docs/_build/html $(BIN)/python -m pytest -q tests/test_site.py -rs

# Kernel and client meet at a socket in the working folder, which has to be the same for both. The links to the
# documentation are relative, so that no path of this machine is stored.
notebooks: export LEAF_SKLEARN_DOCS := ../docs/_build/html
notebooks: $(READY)
	@cd notebooks && for source in *.py; do \
	  ../$(BIN)/jupytext --quiet --to ipynb --update "$$source" && \
	  ../$(BIN)/python -m nbconvert --to notebook --execute --inplace --log-level=ERROR --KernelManager.transport=ipc \
	    --ExecutePreprocessor.record_timing=False "$${source%.py}.ipynb" || exit 1; \
	done

clean:
	@rm -rf build dist out docs/_build docs/generated docs/auto_examples .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find leaf_sklearn tests benchmarks docs notebooks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
