# One way to run things, for people and for CI. `make help` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
# Where nobody named one, others that may be installed beside it.
PYTHONS := $(if $(filter file,$(origin PYTHON)),python3 python3.12 python3.11,$(PYTHON))
FOUND := "$$(bash docker/python.sh $(PYTHONS))"
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help setup asterisk demo record test verify-main-job verify-calls verify-api chaos chaos-short verify-durability lint types unit postgres real lock clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: $(VENV)/ready asterisk ## everything that running and testing need: packages, virtual environment, Asterisk

$(VENV)/ready: pyproject.toml docker/requirements.txt docker/packages.sh docker/python.sh
	@bash docker/python.sh $(PYTHONS) >/dev/null
	@echo '== system packages'
	@bash docker/packages.sh $(FOUND)
	@echo '== virtual environment'
	@[ -e $@ ] || rm -rf $(VENV) # what an interrupted set-up left is nothing to build on
	@rm -f $@
	@$(FOUND) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r docker/requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

asterisk: $(VENV)/ready ## Asterisk 22: the installed one, or a small root, made once
	@echo '== Asterisk'
	@$(BIN)/python -m tests.lab.root

lint: $(VENV)/ready ## style and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(VENV)/ready ## mypy, strict
	@$(BIN)/mypy

unit: $(VENV)/ready ## tests of pure code and scripted peers
	@$(BIN)/pytest tests/unit

postgres: $(VENV)/ready ## tests on a real Postgres
	@$(BIN)/pytest tests/postgres

demo: setup ## two calls on a real Asterisk, told by the API; ONCE=1 ends after them, JOURNAL=1 reads the journal
	@$(BIN)/python -m tests.lab.demo $(if $(ONCE),--once) $(if $(JOURNAL),--journal)

record: setup ## play the scenarios and keep what Asterisk says of them; PBX=foreign, SCENARIO="queue_answered …"
	@$(BIN)/python -m tests.lab.record $(if $(PBX),--pbx $(PBX)) $(SCENARIO)

real: setup ## tests on a real Asterisk with real phones
	@$(BIN)/pytest tests/asterisk tests/acceptance/test_main_job.py

test: setup lint types ## set up, then lint, types and every test
	@$(BIN)/pytest

verify-main-job: ## the main job, shown on fresh clones in empty homes; the last line has the figures
	@$(PYTHON) -m tests.lab.verify_main_job

verify-calls: ## that calls are told right: scenarios, broken rules, damaged recordings, speed, on a fresh clone
	@$(PYTHON) -m tests.lab.verify_calls

verify-api: ## that the HTTP contract holds, on a fresh clone; API_CALLS=10000000 in the measured lists
	@API_CALLS=$(or $(API_CALLS),10000000) $(PYTHON) -m tests.contract.verify

chaos: setup ## calls while everything dies: SEED=1 CALLS=150 FAULTS=n MODE=journal|ami
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(CALLS),--calls $(CALLS)) \
	  $(if $(FAULTS),--faults $(FAULTS)) $(if $(MODE),--mode $(MODE))

chaos-short: setup ## the same in short, in either mode, as it is part of `make test`
	@$(BIN)/pytest tests/acceptance/test_chaos.py

verify-durability: ## that nothing is lost and nothing told twice, whatever dies, on a fresh clone
	@$(PYTHON) -m tests.chaos.verify

lock: $(VENV)/ready ## pin the dependencies anew
	@$(BIN)/pip install --quiet pip-tools
	@$(BIN)/pip-compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --strip-extras --extra dev -o docker/requirements.txt pyproject.toml

clean: ## remove what setup made in the work tree
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
