# 'make quickstart' and 'make test' do everything on a clean clone; 'make help' lists the rest.

SWIFT ?= swift
# One build makes the programs and the tests; everything after it uses --skip-build or the built files.
BUILD = $(SWIFT) build -c release --build-tests
TEST = $(SWIFT) test -c release --skip-build --disable-xctest
CONTEXTURE = .build/release/contexture
# After a crash Swift's own backtracer can work for minutes; the signal and the test's name say enough.
export SWIFT_BACKTRACE = enable=no

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup model build example test test-all threads fuzz lint format snapshots kernels-aarch64 quickstart benchmark clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## installs the Debian packages the build needs, where they are missing
	@scripts/setup.sh

model: ## fetches the base model into models/ and verifies it
	@scripts/fetch-model.sh models

build: ## builds programs and tests, optimised
	$(BUILD)

example: setup ## builds Examples/answers, a package that depends on a version of this one, under the thread sanitizer
	@scripts/build-example.sh

EXAMPLE = CONTEXTURE_EXAMPLE=$(CURDIR)/.build/example/answers
test: setup model build example lint kernels-aarch64 ## everything that must pass before a change is handed in
	$(EXAMPLE) $(TEST)

test-all: setup model build example lint kernels-aarch64 ## the same, the slow checks, both sanitizers and a minute of each fuzzer
	CONTEXTURE_BENCHMARK=1 CONTEXTURE_SLOW=1 $(EXAMPLE) $(TEST)
	$(MAKE) threads
	$(MAKE) fuzz SECONDS=60

# Targets whose types are used by several threads.
THREADED = TensorTests|LanguageModelsTests|TransportTests|PipelinedTrainingTests|EvaluationTests|RunStoreTests
threads: setup ## runs the tests of the engine, the message layer and the store under the thread sanitizer
	$(BUILD) --scratch-path .build/threads --sanitize thread
	TSAN_OPTIONS=allocator_may_return_null=1 $(TEST) --scratch-path .build/threads --sanitize thread \
	  --filter '$(THREADED)'

SECONDS = 60
TARGETS =
fuzz: setup ## lets libFuzzer change the inputs of every border: make fuzz SECONDS=600, TARGETS="gguf yaml" for some
	@scripts/fuzz.sh $(SECONDS) $(TARGETS)

SWIFT_FILES = Sources Tools Tests Package.swift Examples/answers/Package.swift Examples/answers/Sources
lint: ## checks the code's form
	swift-format lint --strict --recursive $(SWIFT_FILES)

format: ## puts the code into form
	swift-format format --in-place --recursive $(SWIFT_FILES)

snapshots: build ## writes the texts in Fixtures/snapshots anew; look at the differences
	RECORD_SNAPSHOTS=1 $(TEST) --filter ProgramTests
	git --no-pager diff --stat -- Fixtures/snapshots

# The kernels with an instruction set of their own are for x86-64; dispatch.c chooses the base ones elsewhere.
AARCH64 = clang --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include -std=c17 -O3 \
  -fno-math-errno -Wall -Wextra -Werror -ISources/CKernels/include
kernels-aarch64: ## compiles the C kernels for aarch64, without linking or running them
	@scripts/setup.sh aarch64
	mkdir -p .build/aarch64
	$(AARCH64) -c Sources/CKernels/kernels_base.c -o .build/aarch64/kernels_base.o
	$(AARCH64) -c Sources/CKernels/dispatch.c -o .build/aarch64/dispatch.o

quickstart: setup model build ## makes data, trains, evaluates, and answers one episode
	@scripts/quickstart.sh

benchmark: setup model build ## measures speed and memory; beside PEFT where its environment is installed
	@Benchmarks/run.sh

clean: ## removes what was built; models, data and runs stay
	$(SWIFT) package clean
	rm -rf .build/aarch64
