# `make demo` and `make test` set up all they need on a machine that has only
# Python (3.11 to 3.13) and make: a virtual environment in .venv, filled from
# the package index once. After that both work offline.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Two minutes for daily work: what most changes would break first.
CHECK := tests/test_architecture.py tests/test_domains.py tests/test_files.py \
	tests/layers/test_gate.py tests/models/test_verbs.py \
	tests/models/test_second_backbone.py tests/score tests/report \
	tests/data/test_data_folder.py tests/export/test_manifest.py \
	tests/cli/test_cli_help.py
# On JAX what computes, trains and saves; what is plain Python runs once.
ON_JAX := tests/layers tests/training tests/analysis/test_dissection.py \
	tests/analysis/test_changes.py $(addprefix tests/models/test_, \
	do_slots.py folding.py forward.py from_keras.py gating.py \
	method_conformance.py misuse.py model_files.py scaling.py \
	second_backbone.py views.py)
# File by file on two cores, in the order of tests/conftest.py.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
RUN := TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=1

.PHONY: demo test check lint setup clean

demo: $(VENV)/.demo
	$(RUN) $(BIN)/keras-mdl demo --overwrite

test: lint
	$(RUN) KERAS_BACKEND=tensorflow $(PYTEST)
	$(RUN) KERAS_BACKEND=jax $(PYTEST) $(ON_JAX)

check: lint
	$(RUN) KERAS_BACKEND=tensorflow $(PYTEST) $(CHECK)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

setup: $(VENV)/.dev

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; \
	sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	"keras_mdl needs Python 3.11 to 3.13, this is %d.%d. " % v + \
	"Say which to use: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet -e '.[export,pretrained]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
