# Every target makes what it needs; `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ifeq ($(OS),Windows_NT)
BIN    := $(VENV)/Scripts
endif

.DEFAULT_GOAL := help
.PHONY: help install demo test lint bench sample clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo "Python's venv module is missing (Debian and Ubuntu: the package python3-venv)"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,lint]'
	@touch $@

install: $(VENV)/installed ## the migrate command, in .venv/bin

demo: install ## the sample share, from crawl to report, in demo/
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	@$(BIN)/python sample_data/demo.py demo

lint: $(VENV)/installed-test ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint ## everything that must hold
	$(BIN)/python -m pytest -n auto

bench: $(VENV)/installed-test ## speed and memory beside jdupes and others; FILES=200000 is the full size
	$(BIN)/python tests/bench/run.py $(if $(FILES),--files $(FILES))

sample: install ## make sample_data/share again
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[samples]'
	$(BIN)/python sample_data/build.py

clean: ## remove what the targets above made
	rm -rf $(VENV) demo dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
