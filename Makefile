# `make help` lists what there is. Everything runs in a virtual environment of its own.
PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
ARGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check $(PIP_ARGS)

.DEFAULT_GOAL := help
.PHONY: help demo test suites lint docs clean check-python

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Variables: PYTHON=python3.13  VENV=.venv  ARGS='...'  PIP_ARGS=\"'jax[cuda13]'\""

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "jaxopt_dl needs Python 3.11 or newer; try: make demo PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing; on Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }

# Each stamp stands for one installed set of packages, so a second run touches no network.
$(VENV)/.app: pyproject.toml | check-python
	@echo "installing into $(VENV), once; this takes a minute or two ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -U 'pip>=25.1'
	@$(PIP) -e '.[app]'
	@touch $@

$(VENV)/.test $(VENV)/.lint $(VENV)/.docs: $(VENV)/.%: $(VENV)/.app
	@$(PIP) --group $* -e '.[app]'
	@touch $@

demo: $(VENV)/.app ## Set up, train on the bundled digits, write runs/demo/report.html
	@$(BIN)/python -m jaxopt_dl demo $(ARGS)

test: $(VENV)/.test ## Set up, run the tests (ARGS='-k name' to choose)
	@$(BIN)/python -m pytest -q -n 2 -m "not slow" $(ARGS)

suites: $(VENV)/.test ## Run the expensive suites too, slow tests included; figures go to docs/experiments
	@$(BIN)/python -m pytest -q -n 2 $(ARGS)
	@$(BIN)/python -m tests.gradcheck.suite.evaluate --json docs/experiments/gradcheck-suite.json
	@$(BIN)/python -m tests.contracts.gradient_suite --json docs/experiments/layer-gradients.json

lint: $(VENV)/.test $(VENV)/.lint ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

docs: $(VENV)/.docs ## Build the documentation, warnings as errors
	@$(BIN)/python docs/register.py
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean: ## Remove what the targets made, runs excepted
	rm -rf $(VENV) docs/_build .pytest_cache .ruff_cache .hypothesis
