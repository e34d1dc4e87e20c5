# SPDX-License-Identifier: Apache-2.0
# `make` lists the targets. Everything a target needs, it sets up by itself, once.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

MODE ?= 2m-2s-sync
BIN := .venv/bin
COLLECTION := ansible_collections.rocketmq.cluster

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- set-up ---------------------------------------------------------------------------------------------------------

.venv/run.stamp: requirements-run.txt tools/setup-venv.sh
	@tools/setup-venv.sh run

.venv/dev.stamp: requirements-dev.txt requirements-run.txt tools/setup-venv.sh
	@tools/setup-venv.sh dev

.PHONY: setup
setup: .venv/dev.stamp ## prepare this clone: .venv with all tools, pinned

.PHONY: docker java go image
docker: ## make sure that a Docker engine answers
	@tools/setup-docker.sh

image: ## make the Docker image that stands for a bare Debian host
	@tools/setup-image.sh

java: ## make sure of Java, Apache's jars and the official-client programs
	@tools/setup-java.sh

go: ## make sure of Go and of the official Go client's programs
	@tools/setup-go.sh

# ---- fast half: under a minute --------------------------------------------------------------------------------------

.PHONY: check format lint types tidy units engine
check: format lint types tidy units engine ## the fast half: format, lint, types, tidy, unit and engine tests

format: setup ## all Python is formatted
	@$(BIN)/ruff format --check --quiet .

lint: setup ## ruff, and shellcheck where it is installed
	@$(BIN)/ruff check --quiet .
	@! command -v shellcheck >/dev/null || shellcheck --external-sources tools/*.sh .ci/run

types: setup ## mypy, strict
	@$(BIN)/mypy src plugins/module_utils/rmq tests/engine tests/interop tests/chaos tests/molecule tests/tidy tools
	@# Ansible imports plugins, and their tests, by the collection's name.
	@MYPYPATH=.dev:plugins/module_utils:src $(BIN)/mypy -p $(COLLECTION).plugins -p $(COLLECTION).tests.unit

tidy: setup ## what a linter cannot guard: import directions, old syntax, licences, long functions
	@$(BIN)/pytest -q tests/tidy

units: setup ## tests on the collection's plugins
	@$(BIN)/pytest -q tests/unit

engine: setup ## tests on the engine
	@$(BIN)/pytest -q tests/engine

.PHONY: fuzz golden
fuzz: setup ## mutated frames at broker and name server: FUZZ_FRAMES=200000, TEST_SEED=... replays a run
	@FUZZ_FRAMES=$${FUZZ_FRAMES:-200000} $(BIN)/pytest -q tests/engine/fuzz

golden: setup java ## capture frames and files from a live Apache 5.4.0 anew (a minute)
	@$(BIN)/python -m tests.interop.capture.capture

# ---- slower things, one word each -----------------------------------------------------------------------------------

.PHONY: sanity collection molecule interop programs simulator chaos damage-table
sanity: setup ## ansible-test sanity and ansible-lint
	@tools/run-sanity.sh
	@tools/run-ansible-lint.sh

collection: setup ## build the tarball, install it elsewhere, and check the playbooks from there
	@tools/try-collection.sh

interop: setup java go ## official clients and tools against both engines
	@$(BIN)/pytest -q tests/interop -n 2 --dist loadfile

simulator: setup ## simulate runs of a pair under faults: SIMULATOR_SEEDS=10 of each plan, from TEST_SEED on
	@SIMULATOR_SEEDS=$${SIMULATOR_SEEDS:-10} $(BIN)/pytest -q tests/engine/simulator

chaos: ## the long form of every test under faults, in parts that resume: results in build/parts
	@tools/test.sh chaos

damage-table: setup java ## damage stores of both engines and read them back: writes docs/damage-table.md (half an hour)
	@PYTHONPATH=plugins/module_utils:src:. $(BIN)/python -m tests.chaos.damage_table --anew

programs: setup java ## client programs print the same here and on Apache's
	@tools/compare-programs.sh

molecule: setup image ## six hosts with systemd in Docker, and one without
	@tools/run-molecule.sh

# ---- the two commands of the README ---------------------------------------------------------------------------------

.PHONY: up down test test-full
up: .venv/run.stamp ## bring a real cluster up on this machine: MODE=2m-2s-sync (or single-master, 2m-noslave, 2m-2s-async)
	@tools/up.sh $(MODE)

down: .venv/run.stamp ## end the cluster of `make up`
	@tools/down.sh

test: ## set up and pass the tests, as CI does
	@tools/test.sh ci

test-full: ## the long forms, in parts that resume: results in build/parts
	@tools/test.sh full

clean: ## remove what make has made here (the cache outside of the clone stays)
	@rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible
