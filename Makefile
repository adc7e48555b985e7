# Everything Kalends does from a checkout. Needs Python 3.11 or later, make and git.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.PHONY: help install demo test test-clients test-thunderbird client-packages lint bench bench-peers constraints clean
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/' | expand -t 22

$(STAMP): constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

install: $(STAMP) ## a virtual environment in .venv with Kalends and all it needs

demo: $(STAMP) ## a store full of people and events, a server, and a narrated CAP session (ONCE=1 ends by itself)
	@$(BIN)/python -m kalends.cli.entry demo $(if $(ONCE),--once)

test: $(STAMP) ## every test, on SQLite and on PostgreSQL
	$(BIN)/python -bb -m pytest -q -n $(WORKERS)

CLIENTS := .venv-clients
$(CLIENTS)/.installed: constraints-clients.txt
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r constraints-clients.txt
	@touch $(CLIENTS)/.installed

tests_clients/node_modules/.installed: tests_clients/package-lock.json
	@mkdir -p $(@D)
	@if command -v npm >/dev/null; then cd tests_clients && npm ci --silent --no-audit --no-fund && touch node_modules/.installed; fi

client-packages: ## what test-clients needs from Debian and is not here (as root)
	@missing=$$(tests_clients/missing-packages); test -z "$$missing" || apt-get install --yes --quiet --no-install-recommends $$missing

test-clients: $(STAMP) $(CLIENTS)/.installed tests_clients/node_modules/.installed ## calendar apps that others wrote, against a server of their own (ONLY="vdirsyncer curl")
	$(BIN)/python -m tests_clients $(ONLY)

test-thunderbird: $(STAMP) ## Thunderbird under Xvfb, told over Marionette what to do, a line for each step
	$(BIN)/python -m tests_clients.thunderbird

lint: $(STAMP) ## ruff, mypy --strict, the house's import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) ## the benchmarks, as ratios against a peer or a physical limit
	$(BIN)/python -m bench

PEERS := .venv-peers
$(PEERS)/.installed: constraints-peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r constraints-peers.txt
	@touch $(PEERS)/.installed

bench-peers: $(STAMP) $(PEERS)/.installed ## CalDAV beside Radicale and Xandikos, in one run (they go into .venv-peers)
	$(BIN)/python -m bench dav

constraints: ## resolve the pinned versions with hashes anew (needs the uv program)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --no-header --only-binary :all: --extra postgres --group dev pyproject.toml -o constraints.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --no-header --only-binary :all: --group pyproject.toml:clients -o constraints-clients.txt

clean: ## forget the virtual environment and caches
	rm -rf $(VENV) $(CLIENTS) $(PEERS) tests_clients/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .demo
