# make test   format, lint, types, tests        make demo   see it work
# Both set everything up by themselves: a virtual environment in .venv (with uv where there is uv).
# PYTHON=python3.12 VENV=.venv-3.12 chooses another one.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTHONS := 3.10 3.11 3.12 3.13 3.14

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_PREFER_BINARY := 1
# The tools of this environment, whatever environment is active.
unexport VIRTUAL_ENV PYTHONHOME PYTHONDONTWRITEBYTECODE

.PHONY: help setup external conformance demo test suite test-all compat wheel lint format grpc coverage man tour bench soak clean

help:
	@echo 'make demo | test | test-all | compat | conformance | wheel | lint | format | grpc | man | tour | coverage | bench | soak | setup | clean'

setup: $(VENV)/.stamp

$(VENV)/.stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo '$(PYTHON) is missing or older than 3.10; choose another one: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 1; }
	@if command -v uv >/dev/null; then \
		set -ex; \
		test -x $(BIN)/python || uv venv --python '$(PYTHON)' $(VENV); \
		uv pip install --quiet --python $(BIN)/python --editable . --group dev; \
	else \
		$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
			{ echo 'This Python has no venv. On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }; \
		set -ex; \
		test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV); \
		$(BIN)/python -m pip install --quiet 'pip>=25.1'; \
		$(BIN)/python -m pip install --quiet --editable . --group dev; \
	fi
	@touch $@

# What the tests use and pip cannot install beside us: MCP servers of others, the generator.
external: setup
	@$(BIN)/python tests/external.py

demo: setup
	@$(BIN)/llm mcp demo

test: lint
	@$(MAKE) --no-print-directory suite

# Four at a time, also on two cores: most tests wait for processes. For one test: make suite ARGS="-n 0 -k NAME".
suite: external
	$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

# The official conformance suite, played through the real commands and the daemon: see tests/conformance.
conformance: setup
	@$(BIN)/python -m tests.conformance.run $(ARGS)

# The suite on every Python from 3.10 on that is installed (asked of pyenv too).
test-all:
	@pyenv=$$(pyenv versions --bare 2>/dev/null | tr '\n' ':'); \
	ran=; failed=; \
	for version in $(PYTHONS); do \
		python=$$(PYENV_VERSION=$$pyenv python$$version -c 'import sys; print(sys.executable)' 2>/dev/null) || \
			{ echo "== Python $$version: not installed"; continue; }; \
		echo "== Python $$version: $$python"; \
		$(MAKE) --no-print-directory suite PYTHON="$$python" VENV=.venv-$$version || failed="$$failed $$version"; \
		ran="$$ran $$version"; \
	done; \
	echo "== ran on:$$ran$${failed:+; FAILED on:$$failed}"; \
	test -n "$$ran" && test -z "$$failed"

# The oldest and the newest releases of what we depend on, each in an environment of its own in .cache/compat;
# with ARGS=--all each minor release of mcp 2 as well.
compat: setup
	$(BIN)/python -m tests.compat $(ARGS)

wheel: setup
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

lint: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: setup
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# tests/test_generated.py does the same and compares.
grpc: external
	.cache/grpc-tools/bin/python proto/generate.py

coverage: external
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Beside the help: what packaging and the README show of it.
man: setup
	$(BIN)/python packaging/man.py

tour: setup
	$(BIN)/python -m docs.tour

bench: external
	$(BIN)/python -m benchmarks

soak: external
	$(BIN)/python -m pytest -m soak --soak $(ARGS)

clean:
	rm -rf .venv .venv-3.* .cache .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
