# "make" lists what can be made. CI calls these targets and nothing else, so
# what passes here passes there.

SHELL         := bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help

# Every module builds alone; go.work serves editors only.
export GOWORK := off

PRODUCT := api worker pkg migrations
MODULES := $(PRODUCT) tools/dev tools/bench tools/chaos tools/deploy tools/mutate
BIN     := $(CURDIR)/bin

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
STAMP   := github.com/etrainer/backend/pkg/version
LDFLAGS := -s -w -X $(STAMP).Version=$(VERSION) -X $(STAMP).Commit=$(COMMIT)

# ARGS goes to the program that a target runs: make bench ARGS="pickup".
ARGS ?=
# API and WORKER are the numbers of containers that "make scale" runs; without
# one, that number stays.
API    ?=
WORKER ?=
# FUZZTIME is how long "make fuzz" tries each target.
FUZZTIME ?= 10s

# $(call each,MODULES,COMMAND) runs a command in each module, and fails in the
# end if it failed in any.
each = status=0; for module in $(1); do echo "$$module: $(2)"; (cd $$module && $(2)) || status=1; done; exit $$status

##@ Every day

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: dev
dev: bin/dev build ## run everything here: database, Redis, api, worker, demo data
	bin/dev up $(ARGS)

.PHONY: test
test: bin/dev bin/gotestsum ## run all Go tests with the race detector, on engines of their own
	bin/dev with-engines -- bin/gotestsum --format pkgname --format-hide-empty-pkg --raw-command -- \
		bash -c 'status=0; for module in $(MODULES); do \
			(cd $$module && go test -json -race -count=1 -timeout 20m ./...) || status=1; done; exit $$status'

.PHONY: check
check: layers vet lint build tidy-check test ## run the fast part of CI

.PHONY: fmt
fmt: bin/golangci-lint ## format the code
	@$(call each,$(MODULES),"$(BIN)/golangci-lint" fmt)

.PHONY: tidy
tidy: ## write go.mod and go.sum of every module anew
	@$(call each,$(MODULES) tools/lint,go mod tidy)

.PHONY: env-example
env-example: ## write .env.production.example anew, from the settings of the programs, and their names
	cd tools/deploy && go test -count=1 -run '^TestTemplate$$' . -update

.PHONY: clean
clean: ## remove what make builds, and the data of "make dev"
	rm -rf bin coverage .dev

##@ Programs

# nomsgpack leaves out the MessagePack of gin, which no route speaks: 6 MB less.
.PHONY: build
build: ## build bin/api, bin/worker and bin/migrate as they ship: static and stamped
	cd api && CGO_ENABLED=0 go build -tags nomsgpack -trimpath -ldflags '$(LDFLAGS)' -o "$(BIN)/api" ./cmd/api
	cd worker && CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o "$(BIN)/worker" ./cmd/worker
	cd migrations && CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o "$(BIN)/migrate" ./cmd/migrate

.PHONY: run
run: build ## run the api and the worker in one process each, configured by the environment
	@tools/run/both single

.PHONY: run-cluster
run-cluster: build ## the same with WORKER_COUNT processes of each (ENABLE_CLUSTERING=true)
	@tools/run/both cluster

.PHONY: run-production
run-production: build ## the same with NODE_ENV=production and the settings of .env.production (make env)
	@tools/run/both production

.PHONY: run-nginx
run-nginx: ## run nginx with TLS in front of it, on the certificate of tls/ or a self-made one (as root)
	@tools/run/nginx

.PHONY: migrate
migrate: build ## bring the database of the environment to this schema; ARGS=plan shows what that does
	bin/migrate $(or $(ARGS),up)

.PHONY: run-api
run-api: build ## run the api alone, configured by the environment
	bin/api

.PHONY: run-worker
run-worker: build ## run the worker alone, configured by the environment
	bin/worker

.PHONY: bin/dev
bin/dev:
	cd tools/dev && go build -o "$(BIN)/dev" ./cmd/dev

##@ Containers

.PHONY: env
env: ## make .env and .env.production with random secrets; adds what is missing, changes nothing
	@tools/run/env

.PHONY: up
up: ## run everything in containers (compose.yaml; needs Docker)
	@VERSION=$(VERSION) COMMIT=$(COMMIT) tools/run/compose up $(ARGS)

.PHONY: scale
scale: ## run more or fewer containers: make scale API=5 WORKER=4
	@tools/run/compose scale "$(API)" "$(WORKER)"

.PHONY: roll
roll: ## put this version in place of the one that runs, without a lost request
	@VERSION=$(VERSION) COMMIT=$(COMMIT) tools/run/compose roll

.PHONY: logs
logs: ## follow the logs of the containers; ARGS=api shows one service
	@tools/run/compose logs $(ARGS)

.PHONY: down
down: ## stop the containers; the data stay in their volumes
	@tools/run/compose down

.PHONY: images
images: ## build the container images etrainer/api, etrainer/worker and etrainer/migrate (needs Docker)
	@for image in api worker migrate; do \
		docker build -f docker/$$image.Dockerfile --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t etrainer/$$image:$(VERSION) . ; done

##@ Checks

.PHONY: layers
layers: ## check who imports whom
	cd pkg && go test -count=1 -run "^TestLayers" .

.PHONY: vet
vet: ## run go vet in every module
	@$(call each,$(MODULES),go vet ./...)

.PHONY: lint
lint: bin/golangci-lint ## run the linters (.golangci.yaml) in every module
	@$(call each,$(MODULES),"$(BIN)/golangci-lint" run ./...)

.PHONY: tidy-check
tidy-check: ## fail when go.mod or go.sum of a module is not tidy
	@$(call each,$(MODULES) tools/lint,go mod tidy -diff)

.PHONY: fuzz
fuzz: ## try each fuzz target for FUZZTIME
	@for module in $(PRODUCT); do for package in $$(cd $$module && go list ./... 2>/dev/null); do \
		for target in $$(cd $$module && go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package: $$target"; (cd $$module && go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package) || exit 1; \
		done; done; done

.PHONY: test-interop
test-interop: bin/dev build ## share one collection with Node's Agenda 5 and 6 (needs Node and npm)
	tools/interop/run $(ARGS)

.PHONY: chaos
chaos: bin/dev ## break everything around the queue and check its promises; ARGS="--seed 7" repeats one seed
	tools/chaos/run $(ARGS)

.PHONY: mutants
mutants: bin/dev ## take one mechanism of the queue out at a time: a test must notice; ARGS=fence tries some
	cd tools/mutate && go build -o "$(BIN)/mutate" .
	bin/dev with-engines -- bin/mutate $(ARGS)

.PHONY: bench
bench: bin/dev build ## measure, beside Node's Agenda 5 and 6 (needs Node and npm)
	tools/bench/run $(ARGS)

# The linters and test tools, at the versions of tools/lint/go.mod.
bin/golangci-lint: tools/lint/go.mod
	cd tools/lint && go build -o "$(BIN)/golangci-lint" github.com/golangci/golangci-lint/v2/cmd/golangci-lint
bin/gotestsum: tools/lint/go.mod
	cd tools/lint && go build -o "$(BIN)/gotestsum" gotest.tools/gotestsum
bin/benchstat: tools/lint/go.mod
	cd tools/lint && go build -o "$(BIN)/benchstat" golang.org/x/perf/cmd/benchstat
