# Everything is run with .venv, and writes below this folder only.
.PHONY: demo test test-kind test-clients test-ui docs lint tables bench conformance wheel env dev clean

export TMPDIR := $(CURDIR)/.tmp
export PYTHONDONTWRITEBYTECODE :=
PYTEST := .venv/bin/python -m pytest
# One more than the processors: tests wait for processes that end.
PROCESSORS := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
WORKERS ?= $(shell expr $(PROCESSORS) + 1)

env:
	@mkdir -p .tmp && .ci/env

dev:
	@mkdir -p .tmp && .ci/env dev

demo: env
	@cd examples/quickstart && ../../$(PYTEST) -v

test: dev
	@$(PYTEST) -n $(WORKERS) --maxprocesses 4
	@for each in examples/*/; do echo "$$each"; (cd $$each && ../../$(PYTEST) -q) || exit 1; done

# Needs Docker and kind. KECS_KIND_IMAGE names the node image, KECS_TEST_IMAGE one with a shell,
# KECS_TEST_PYTHON_IMAGE one with Python 3. Examples with an image of their own stay out.
KIND_EXAMPLES := quickstart init-work sidecars
test-kind: dev
	@$(PYTEST) tests/kind -n 2
	@KECS_TEST_ENGINES=kind $(PYTEST) tests/contract -n 2
	@$(PYTEST) $(addprefix examples/,$(KIND_EXAMPLES)) --kecs-engine=kind -n 2

# The AWS CLI, aioboto3 and the SDK for JavaScript, installed into .tmp/clients; needs Node.js.
test-clients: dev
	@.ci/clients && $(PYTEST) tests/clients

# The page of recordings in Debian's Chromium, which is installed if it can be.
test-ui: dev
	@.ci/env ui
	@if .ci/chromium; then $(PYTEST) tests/ui; else echo "NOT RUN: there is no chromium here, and none can be installed"; fi

# The site, in .tmp/site, with every warning an error; and all code of its pages, run.
docs: dev
	@.ci/env docs
	@NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --quiet --strict
	@$(PYTEST) tests/docs -n $(WORKERS)

lint: dev
	@.venv/bin/python -m ruff check . && .venv/bin/python -m ruff format --check . && .venv/bin/python -m mypy

# The tables of README.md and docs that code generates.
tables: dev
	@.venv/bin/python .ci/tables.py

bench: dev
	@.venv/bin/python -m benchmarks

# docs/conformance.md: this server, moto's and MiniStack, each in an environment of its own.
conformance: dev
	@.venv/bin/python -m benchmarks.conformance

wheel: dev
	@.venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .

clean:
	@rm -rf .venv .tmp dist build .pytest_cache .mypy_cache .ruff_cache
