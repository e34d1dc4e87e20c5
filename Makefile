# SPDX-License-Identifier: Apache-2.0
# `make` lists the targets. Everything a target needs, it sets up by itself, once.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

MODE ?= 2m-2s-sync
BIN := .venv/bin

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
