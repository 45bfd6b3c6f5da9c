# `make` alone lists the targets. The work itself is in deploy/dev, one small script each.

# A warning stops what `make` builds; a build by hand only shows it (see Package.swift). Always the same value, as
# another one would compile everything again.
export TOPITEMS_WARNINGS_AS_ERRORS = 1
MAKEFLAGS += --no-print-directory

.PHONY: help build demo test test-clients test-clocks soak bench bench-latency bench-live bench-http bench-page bench-ingest \
  bench-queries bench-crowds bench-mixed fuzz sanitize lint format services stop clean

help: ## List the targets (this)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { gsub(/\$$\$$/, "$$", $$2); printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the release binary
	@deploy/dev/prerequisites build
	@swift build --configuration release --product topitems

demo: ## From nothing to a live top list; Ctrl-C ends it (DEMO_SECONDS=30: ends by itself, after checking the responses)
	@deploy/dev/demo

test: ## Build, lint, and run the unit, integration and end-to-end tests on private services
	@deploy/dev/test

test-clocks: ## Run the computing tests under other clocks, time zones and accounts (as root)
	@deploy/dev/test-clocks

test-clients: ## Ask a server with real clients: browsers, Python's, curl (OPTIONS="-k live": of these tests)
	@deploy/dev/test-clients $(OPTIONS)

soak: ## Ten minutes of joins, leaves, ended sessions and stopped workers (SOAK_SECONDS=600, SOAK_RATE=3000)
	@deploy/dev/soak

bench: bench-latency bench-live bench-page bench-http bench-queries bench-ingest ## Measure everything, one after the other; tables here, JSON in .build/bench

bench-latency: ## Measure how long after it was published an event is in the API's answer (BENCH_TRIES=200, BENCH_RATES=0,1000)
	@Benchmarks/bench-latency

bench-live: ## Measure how long after it was published an event is pushed to a client that follows (BENCH_TRIES=200)
	@Benchmarks/bench-latency pushed

bench-page: ## Measure in Chromium the live page's first paint, and from publishing to paint (BENCH_TRIES=100)
	@Benchmarks/bench-page

bench-http: build ## Measure the server beside nginx, Hummingbird, FlyingFox, epoll and pgbench, and while events are counted (BENCH_OPTIONS="--help": what it can)
	@deploy/dev/prerequisites services tests bench
	@swift build --configuration release --package-path Benchmarks/Peers
	@exports=$$(deploy/dev/services bench-http) && eval "$$exports" && trap 'deploy/dev/stop bench-http' EXIT && \
	Benchmarks/bench-http --binary "$$(swift build --configuration release --show-bin-path)/topitems" \
	  --peers "$$(swift build --configuration release --package-path Benchmarks/Peers --show-bin-path)" $(BENCH_OPTIONS)

bench-queries: ## Measure questions about a year of history (BENCH_DAYS=7: days of minutes)
	@Benchmarks/bench-queries

bench-ingest: build ## Measure `topitems ingest` beside the SQL floor (BENCH_OPTIONS="--repetitions 1 --count 500000")
	@swift build --configuration release --product ingest-bench
	@exports=$$(deploy/dev/services bench) && eval "$$exports" && trap 'deploy/dev/stop bench' EXIT && \
	bin=$$(swift build --configuration release --show-bin-path) && \
	Benchmarks/bench-ingest --binary "$$bin/topitems" --tool "$$bin/ingest-bench" $(BENCH_OPTIONS)

bench-crowds: build ## Measure what crowds of idle clients, slow ones, subscribers and unread exports cost the server
	@swift build --configuration release --product hello-server
	@Benchmarks/bench-crowds idle
	@Benchmarks/bench-crowds slow
	@exports=$$(deploy/dev/services bench-crowds) && eval "$$exports" && trap 'deploy/dev/stop bench-crowds' EXIT && \
	Benchmarks/bench-crowds streams && Benchmarks/bench-crowds exports

bench-mixed: ## Half an hour of everything at once: memory, descriptors, threads must be flat (MIXED_SECONDS=1800)
	@Benchmarks/bench-mixed

fuzz: ## Feed random and mutated input to all that parses requests and messages (FUZZ_SECONDS=60)
	@swift build --configuration release --product http-fuzz
	@$$(swift build --configuration release --show-bin-path)/http-fuzz --seconds $${FUZZ_SECONDS:-60}

sanitize: ## Run the server's and the API's tests under AddressSanitizer and ThreadSanitizer
	@deploy/dev/sanitize

lint: ## Check the form of the Swift code, and the shell scripts
	@deploy/dev/prerequisites lint
	@deploy/dev/lint

format: ## Bring the Swift code into its form
	@swift format --in-place --parallel --recursive Package.swift $(wildcard Sources Tests Benchmarks)

services: ## Start PostgreSQL and a Kafka-compatible broker: eval "$$(make -s services)"
	@deploy/dev/services

stop: ## End these services and forget their data
	@deploy/dev/stop

clean: stop ## Remove all that was built and fetched
	@rm -rf .build .services/wheels
