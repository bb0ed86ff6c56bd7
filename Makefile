# vlmctl: the commands people type. Everything else is CMake (presets: release, dev, asan, tsan, clang).
#   make demo            install what is missing, build, run the demo search on this machine
#   make test            install what is missing, build, run every test
#   make build|deps|lint|bench|install|clean|help
# Variables: JOBS=N  PREFIX=/usr/local  GPU=1 (deps)  VLM_TORCH_DIR=DIR  SKIP_APT=1  LABELS=regex (test)
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
BUILD := build/release
export GPU VLM_TORCH_DIR SKIP_APT

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

.PHONY: deps
deps: ## Install Debian packages and LibTorch (GPU=1: with the CUDA parts)
	@scripts/deps/install.sh

.PHONY: build
build: deps ## Build everything into build/release
	@scripts/build.sh release $(JOBS)

.PHONY: demo
demo: deps ## Run a small search on this machine and print the best trial
	@scripts/build.sh release $(JOBS) vlm_programs
	@scripts/demo.sh

.PHONY: test
test: build ## Build and run every test (LABELS=unit for some)
	@scripts/test.sh release "$(LABELS)"

.PHONY: test-peers
test-peers: build ## Tests against the real Optuna, dashboard and PyTorch from PyPI
	@scripts/test.sh release peers

.PHONY: test-torch
test-torch: deps ## Tests of the model against PyTorch itself (fetches 5.5 GB once)
	@scripts/deps/peers-torch.sh >/dev/null
	@scripts/build.sh release $(JOBS)
	@scripts/test.sh release peers-torch

.PHONY: test-asan
test-asan: deps ## Address and undefined-behaviour sanitizers over everything without LibTorch
	@scripts/build.sh asan $(JOBS)
	@scripts/test.sh asan "$(LABELS)"

.PHONY: test-tsan
test-tsan: deps ## Thread sanitizer over core, search and storage
	@scripts/build.sh tsan $(JOBS) vlm_tsan_tests
	@scripts/test.sh tsan tsan

SEEDS ?= 10000
.PHONY: simulate
simulate: deps ## The coordinator's heart under random faults, SEEDS=10000 runs (FIRST-LAST: those)
	@scripts/build.sh release $(JOBS) core_test
	@VLM_SIMULATION_SEEDS=$(SEEDS) $(BUILD)/test-bin/core_test --gtest_filter='SimulationTest.*'

.PHONY: lint
lint: deps ## Format, dependency rule, scripts, generated docs, clang-tidy
	@scripts/lint/all.sh

.PHONY: format
format: deps ## Format the sources in place
	@scripts/lint/format.sh --fix

.PHONY: docs
docs: build ## Generate the protocol reference in docs/
	@scripts/docs/protocol.sh

.PHONY: bench
bench: build ## Run the benchmarks; prints the machine's limits first
	@bench/run.sh

.PHONY: install
install: deps ## Build and install the programs below PREFIX
	@scripts/build.sh release $(JOBS) vlm_programs
	@cmake --install $(BUILD) --prefix $(PREFIX)

.PHONY: clean
clean: ## Remove build/
	rm -rf build
