# The verbs of the project. `make demo` and `make test` do all set-up themselves.

SHELL := bash
.DEFAULT_GOAL := help
CARGO ?= cargo
PREFIX ?= /usr/local

.PHONY: help demo demo-down test unit e2e bench bench-api scale lint fmt build install protoc chaos failover

help: ## List the verbs
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## Bring the platform up and push an example app through it
	@dev/demo.sh up

demo-down: ## Stop and remove everything that `make demo` made
	@dev/demo.sh down

test: ## Set up, then run every test: lints, unit and contract tests, the walkthroughs on a real engine
	@dev/test.sh

unit: ## Unit and contract tests of the crates, without the walkthroughs
	@dev/test.sh unit

e2e: ## The walkthroughs: real ambod, ambo, git, Docker Engine
	@dev/test.sh e2e

bench: ## Measure against nginx, haproxy and bare docker; prints ratios
	@dev/bench.sh

bench-api: ## Measure the API with 1,000 apps and 10,000 releases
	@dev/bench.sh api

scale: ## Measure what 1,000 nodes, 10,000 apps and 100,000 instances cost, and how it grows
	@dev/scale.sh

chaos: ## Break a cluster at random under load, and look whether anything was lost
	$(CARGO) xtask cluster up --disk 3072
	$(CARGO) xtask chaos
	$(CARGO) xtask cluster down

failover: ## Measure what users notice when a machine of a cluster dies: failed requests, time until all is back
	$(CARGO) xtask cluster up
	$(CARGO) xtask failover
	$(CARGO) xtask cluster down

lint: protoc ## Formatting, clippy, the crate table and the style's numbers
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	$(CARGO) run --quiet -p xtask -- tidy

fmt: ## Format
	$(CARGO) fmt --all

build: protoc ## The two programs, optimised
	$(CARGO) build --release -p ambod -p ambo

protoc:
	@test -f /usr/include/google/protobuf/descriptor.proto || dev/packages.sh protobuf-compiler libprotobuf-dev

install: build ## Put ambod and ambo into $(PREFIX)/bin
	install -D -t $(DESTDIR)$(PREFIX)/bin target/release/ambod target/release/ambo
