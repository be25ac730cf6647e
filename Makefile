# What a user types. Every target may run twice in a row; a step of the setup is skipped while its stamp is newer than its inputs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Where this is set, each of the processes that an update starts would compile the whole program again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON3 ?= python3
PYTHON := .venv/bin/python
PYTHON_STAMP := .venv/.installed
APP_STAMP := app/node_modules/.installed
ENGINE_STAMP := .tools/.ensured

packages := sed -u -n 's/^Collecting \([^ ]*\).*/    \1/p; s/^Successfully/  &/p'
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help setup demo lint types check test faults bench start stop status reset clean lock

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(PYTHON_STAMP) $(APP_STAMP) $(ENGINE_STAMP) ## install what is missing: Python packages, the app's packages, the engine

demo: setup ## bring up dev, promote to prod twice and roll back, on this machine
	@$(PYTHON) -m demo

lint: setup ## format and lint
	$(call say,format and lint)
	@$(PYTHON) -m ruff format --check --quiet .
	@$(PYTHON) -m ruff check --quiet .

types: setup ## types
	$(call say,types)
	@$(PYTHON) -m mypy

# More processes than cores: many of the fast tests wait. For `test` a third one gained nothing (22.6 min and 21.2).
check: lint types ## format, lint, types and the fast tests
	$(call say,fast tests)
	@$(PYTHON) -m pytest -n 4 --dist loadfile -m "not e2e and not slow and not bench"

test: lint types ## format, lint, types and all tests
	$(call say,tests)
	@$(PYTHON) -m pytest -n 2 --dist loadfile

faults: setup ## let each request meet each fault, kill everything, run 200 seeded histories; takes hours
	@failed=0; $(PYTHON) -m tests.faults.matrix $(FAULTS) || failed=1; \
		$(PYTHON) -m tests.faults.histories $(HISTORIES) || failed=1; exit $$failed

bench: setup ## measure preview, promotion and rollback
	@$(PYTHON) -m bench

start: setup ## start the local cloud
	@$(PYTHON) -m localcloud start

stop: $(PYTHON_STAMP) ## stop the local cloud
	@$(PYTHON) -m localcloud stop

status: $(PYTHON_STAMP) ## show what the local cloud runs
	@$(PYTHON) -m localcloud status

reset: $(PYTHON_STAMP) ## stop the local cloud and remove its databases, deployments and stacks
	@$(PYTHON) -m localcloud reset

clean: ## reset, and remove everything that was installed or built
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m localcloud stop; fi
	@chmod -R u+w .tools .local 2>/dev/null || true
	rm -rf .venv .tools .local app/node_modules .pytest_cache .ruff_cache .mypy_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One resolution for all systems and for Python 3.11 and newer. The library and the local cloud are folders of this tree
# and have no hash, so they are installed alone; the packages that they need are in the lock.
compile := .venv/bin/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-emit-package environments --custom-compile-command "make lock"

lock: ## pin all packages with hashes; UPGRADE=--upgrade renews those that requirements*.txt don't pin
	@[ -x .venv/bin/uv ] || $(MAKE) $(PYTHON_STAMP)
	@$(compile) requirements.txt -o requirements.lock
	@$(compile) requirements.txt requirements-dev.txt -c requirements.lock -o requirements-dev.lock

$(PYTHON_STAMP): requirements-dev.lock pyproject.toml localcloud/pyproject.toml
	$(call say,Python packages into .venv)
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed, $(PYTHON3) is $$($(PYTHON3) --version 2>&1): name another with make PYTHON3=/path/to/python3"; exit 1; }
	@[ -x $(PYTHON) ] && $(PYTHON) -m pip --version >/dev/null 2>&1 || $(PYTHON3) -m venv --clear .venv || { \
		echo "$(PYTHON3) can't make virtual environments: install its venv module (Debian: apt-get install python3-venv)"; exit 1; }
	@$(PYTHON) -m pip install --disable-pip-version-check --require-hashes -r requirements-dev.lock | $(packages)
	@$(PYTHON) -m pip install --disable-pip-version-check --no-deps -e . -e ./localcloud | $(packages)
	@touch $@

$(APP_STAMP): app/package.json app/package-lock.json
	$(call say,packages of the app)
	@node -e 'process.exit(+process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null || { \
		echo "Node 20 or newer is needed, found: $$(node --version 2>/dev/null || echo none)"; exit 1; }
	@cd app && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(ENGINE_STAMP): $(PYTHON_STAMP) $(wildcard localcloud/engine/*)
	$(call say,the Pulumi engine)
	@$(PYTHON) -m localcloud.engine
	@mkdir -p $(@D) && touch $@
