# Everything that a developer does here. Needs Python 3.11 or newer, make and a shell; `make help` lists the targets.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
SHELL := /bin/sh

# Byte code makes each start twice as quick; a PYTHONPATH from outside would bring other packages in.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

JOBS ?= 2
RUN := .venv/bin/python -m
INSTALL := $(RUN) pip install --quiet --require-hashes
PYTEST := $(RUN) pytest $(if $(filter-out 1,$(JOBS)),--numprocesses $(JOBS) --dist worksteal)
COMPILE := .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate --extra build $(if $(UPGRADE),--upgrade)

# A virtual environment holds absolute paths: one that was moved, or whose Python is gone, is made anew.
ifneq ($(wildcard .venv/made-for),)
ifneq ($(shell .venv/bin/python -c 'print(open(".venv/made-for").read().strip())' 2>/dev/null),$(CURDIR))
$(shell rm -f .venv/made-for)
endif
endif

.PHONY: help demo test test-long faults sdks bench lint docs scripts lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

demo: .venv/ready ## start the service on a month of made-up traffic and show its credit (ARGS=--once: print and exit)
	@.venv/bin/closedloop demo $(ARGS)

test: .venv/ready-for-development ## run every test, on SQLite and PostgreSQL (T=path: only these; JOBS=1: one after another)
	@$(PYTEST) $(T)

test-long: .venv/ready-for-development ## the same with many more random examples, and the soak tests
	@$(PYTEST) --hypothesis-profile=long -m "not faults" $(T)

faults: .venv/ready-for-development ## kill the service a hundred times and count what it acknowledged
	@$(PYTEST) -m faults $(T)

sdks: tests/sdks/node_modules/.package-lock.json ## install the SDKs of others that some tests drive (needs Node and npm)

bench: .venv/ready-for-development ## measure, and print the ratios of one run
	@$(RUN) tests.bench.ingestion
	@$(RUN) tests.bench.stitching
	@$(RUN) tests.bench.models
	@$(RUN) tests.bench.sums

lint: .venv/ready-for-development ## check style, types and which package imports which
	@failed=; \
	$(RUN) ruff check || failed="$$failed style"; \
	$(RUN) mypy || failed="$$failed types"; \
	.venv/bin/lint-imports || failed="$$failed imports"; \
	if [ -n "$$failed" ]; then echo "Failed:$$failed" >&2; exit 1; fi

docs: .venv/ready ## write what is generated under docs/
	@$(RUN) app.dictionary

scripts: .venv/ready-for-development ## make the scripts of web pages small (app/collect/*.min.js)
	@$(RUN) app.collect.minified

lock: .venv/ready-for-development ## write the lock files from pyproject.toml (UPGRADE=1: with the newest versions)
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra dev --output-file requirements-dev.lock

clean: ## remove the environment and what tools have cached
	rm -rf .venv tests/sdks/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# ---------------------------------------------------------------- the environment

.venv/made-for:
	@python=$$($(FIND_PYTHON)) || { \
		echo "Closed Loop needs Python 3.11 or newer with its modules venv and ensurepip, and found none." >&2; \
		echo "Install one (on Debian and Ubuntu: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; }; \
	echo "Making the environment in .venv with $$("$$python" --version) …"; \
	rm -rf .venv; \
	"$$python" -m venv .venv && pwd > .venv/made-for

.venv/ready: .venv/made-for requirements.lock pyproject.toml
	@echo "Installing what the service needs …"
	@$(INSTALL) --requirement requirements.lock
	@$(RUN) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/ready-for-development: .venv/ready requirements-dev.lock
	@echo "Installing what the tests need …"
	@$(INSTALL) --requirement requirements-dev.lock
	@touch $@

# npm writes this file last; no script of a package runs.
tests/sdks/node_modules/.package-lock.json: tests/sdks/package.json tests/sdks/package-lock.json
	@npm --version >/dev/null || { echo "Node and its npm are needed (on Debian and Ubuntu: apt-get install nodejs npm)." >&2; exit 1; }
	@cd tests/sdks && npm ci --ignore-scripts
	@touch $@

# The first that starts, is new enough and can make environments: known versions before newer ones.
FIND_PYTHON = for newest in 14 99; do for name in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if "$$name" -c "import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $$newest))" 2>/dev/null; \
	then echo "$$name"; exit 0; fi; done; done; exit 1
