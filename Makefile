# Trackly Sync: `make demo` shows it, `make test` checks it; `make help` lists the rest.
# Everything lands in .venv, from the hash-pinned lock files; nothing outside this folder is touched.

PYTHON ?= python3
# of Dagster's pages; not from the environment, where others' programs have one
PORT = 3000
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-cache-dir -qq
export UV_CACHE_DIR ?= $(CURDIR)/.venv/.cache
INSTALL := --no-deps --require-hashes
# $(call install,python,options): uv takes seconds where pip takes a minute, but it reads none of pip's settings: where it
# finds no package index, pip takes its place
install = { [ -x $(BIN)/uv ] && $(BIN)/uv pip install --quiet --python $(1) $(INSTALL) $(2); } \
    || $(PIP) --python $(1) install $(INSTALL) $(2)

QUICK := tests/errors tests/schemas tests/pull/read tests/push/values tests/push/files tests/push/parse/test_forms.py tests/docs/test_paths.py \
    tests/docs/test_rules_once.py tests/text

# else each of the many processes of the tests compiles every module for itself
unexport PYTHONDONTWRITEBYTECODE

# of the version without its last number: a correction takes the place of what it corrects
RELEASE = $(shell sed -n 's/^version = "\([0-9]*\.[0-9]*\).*/\1/p' pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-ui test test-thorough check coverage lint ui bench bench-large docs docs-release wheel audit lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: .venv/.runtime ## install into .venv; leaves .venv/bin/trackly-sync

demo: .venv/.runtime ## run the whole product against an embedded local account (no key, no network)
	@$(BIN)/trackly-sync demo

demo-ui: .venv/.runtime ## Dagster's pages for the demo's data, with its account, to start jobs; PORT=number for another port
	@$(BIN)/trackly-sync demo --ui --port $(PORT)

test: .venv/.runtime ## install and run every check: lint, types, layers, tests
	@echo $$$$ > .venv/.installing; \
	{ $(MAKE) --no-print-directory .venv/.clients .venv/.dbt; \
	$(MAKE) --no-print-directory .docs/.installed || echo "mkdocs could not be installed; its tests are skipped."; \
	rm -f .venv/.installing; } & others=$$!; \
	$(MAKE) --no-print-directory .venv/.dev || { wait; exit 1; }; \
	{ found=$$($(MAKE) --no-print-directory lint 2>&1); code=$$?; printf '\n%s\n' "$$found"; exit $$code; } & lint=$$!; \
	$(MAKE) --no-print-directory .venv/.compiled; \
	.ci/in-memory $(BIN)/python -m pytest -n 4 --dist worksteal -q; tests=$$?; \
	wait $$others; wait $$lint || { echo "make test: lint failed, see above"; exit 1; }; exit $$tests

test-thorough: .venv/.dev ## property tests and random campaigns with ten times as many examples; TESTS=folder for some
	@HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -n 4 --dist worksteal -q $(TESTS)

check: lint ## quick checks: lint, types, layers, and the tests of code that needs no account
	@$(BIN)/python -m pytest -n 2 -q $(QUICK)

coverage: .venv/.clients .venv/.dev ## run the tests and list the lines that no test reaches
	@$(BIN)/python -m pytest -n 4 --dist worksteal -q --cov --cov-report=term-missing:skip-covered

lint: .venv/.dev ## ruff, mypy, import-linter, complexity
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python .ci/complexity

ui: .venv/.runtime ## the Dagster UI on this workspace; PORT=number for another port
	@$(BIN)/trackly-sync ui --port $(PORT)

bench: .venv/.runtime ## time the pull beside a floor and a peer, the loading of history files, the push and the webhook receiver beside a floor
	@$(BIN)/python benchmarks/pull.py
	@$(BIN)/python benchmarks/load.py
	@$(BIN)/python benchmarks/push.py
	@$(BIN)/python benchmarks/webhooks.py

bench-large: .venv/.runtime ## the same with five and ten million contacts, and ten million sends, to see whether memory stays flat
	@$(BIN)/python benchmarks/pull.py --large
	@$(BIN)/python benchmarks/push.py --large

docs: .docs/.installed ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 .docs/bin/mkdocs build --quiet
	@.docs/bin/python .ci/pages site

docs-release: docs ## add the pages of this version to the branch gh-pages, which keeps those of every release
	@PATH="$(CURDIR)/.docs/bin:$$PATH" NO_MKDOCS_2_WARNING=1 mike deploy --update-aliases $(RELEASE) latest # it calls mkdocs
	@.docs/bin/mike set-default latest

wheel: .venv/.runtime ## build the package into dist/
	@rm -rf build # what an earlier tree had would be in it
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

audit: .audit/.installed ## check the locked packages for known vulnerabilities (needs the network; exit 2: no answer)
	@.audit/bin/python .ci/audit .audit/bin/pip-audit requirements.lock requirements-dev.lock requirements-docs.lock \
	    requirements-container.lock requirements-audit.lock requirements-uv.lock

lock: .venv/.runtime ## resolve the newest versions and write the lock files
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    --upgrade pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    --upgrade -c requirements.lock pyproject.toml --group build --group dev -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    --upgrade -c requirements.lock pyproject.toml --extra postgres --group build -o requirements-container.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    --upgrade --group docs -o requirements-docs.lock
	echo 'pip-audit>=2.10' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --upgrade - -o requirements-audit.lock
	echo 'uv' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-annotate --upgrade - -o requirements-uv.lock
	for version in 1.2.2 1.3.2 1.4.5 1.5.6; do printf "duckdb==$$version\npytz\n" | $(BIN)/uv pip compile --quiet --universal \
	    --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --upgrade - \
	    -o tests/clients/duckdb-$$version.lock; done
	# newer ones need a parser without wheels; DuckDB is our own, so that its version reads the warehouse
	printf 'dbt-core<1.12\ndbt-duckdb\n' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-emit-index-url --no-annotate --no-emit-package duckdb --upgrade - -o tests/export/dbt.lock
	echo 'dlt[parquet]==1.31.*' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-emit-index-url --upgrade - -o benchmarks/requirements-dlt.lock

clean: ## remove .venv and all files that runs have left
	rm -rf .venv .docs .audit site data demo build dist .mypy_cache .pytest_cache .coverage .ruff_cache .hypothesis .import_linter_cache *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Trackly Sync needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/.runtime: .venv/bin/python requirements.lock requirements-uv.lock pyproject.toml
	@echo "Installing into .venv ..."
	@$(PIP) install $(INSTALL) --only-binary :all: -r requirements-uv.lock || rm -f $(BIN)/uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python $(INSTALL) --no-compile -r requirements.lock || { \
	    echo "uv cannot install it here; pip does, which takes about a minute ..."; \
	    rm -f $(BIN)/uv; $(PIP) install $(INSTALL) --no-compile -r requirements.lock; }
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import assets, pipelines.cli' # compiles the fifth of all modules that is used
	@touch $@

.audit/.installed: requirements-audit.lock .venv/.runtime
	@echo "Installing pip-audit into .audit ..."
	@$(PYTHON) -m venv .audit
	@$(call install,.audit/bin/python,-r requirements-audit.lock)
	@touch $@

.docs/.installed: requirements-docs.lock .venv/.runtime
	@echo "Installing mkdocs into .docs ..."
	@$(PYTHON) -m venv --without-pip .docs
	@$(call install,.docs/bin/python,--no-compile -r requirements-docs.lock)
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@echo "Installing the development tools ..."
	@$(call install,$(BIN)/python,--no-compile -r requirements-dev.lock)
	@touch $@

# Beside lint, before the tests: else each of four processes that begin at once compiles the same three thousand modules.
.venv/.compiled: .venv/.dev
	@$(BIN)/python -m pytest --collect-only -qq > /dev/null 2>&1 && touch $@ || true # what is wrong, the tests show

# Older clients of the warehouse, each in a folder of its own: their tests are skipped where one cannot be installed.
.venv/.clients: .venv/.runtime $(wildcard tests/clients/*.lock)
	@echo "Installing older DuckDB clients for the tests ..."
	@for lock in tests/clients/*.lock; do { \
	    $(call install,$(BIN)/python,--only-binary :all: --no-compile --upgrade --target .venv/clients/$$(basename $$lock .lock) -r $$lock); } \
	        || echo "$$lock could not be installed; its tests are skipped."; done
	@touch $@

# dbt, for the project that `export dbt` writes, in a folder of its own; with DuckDB and Python of .venv.
.venv/.dbt: .venv/.runtime tests/export/dbt.lock
	@echo "Installing dbt for the tests ..."
	@{ $(call install,$(BIN)/python,--only-binary :all: --no-compile --upgrade --target .venv/dbt -r tests/export/dbt.lock); } \
	    || echo "dbt could not be installed; its test is skipped."
	@touch $@
