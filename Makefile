# The commands of daily work. Each is one script; `scripts/NAME --help` says what it can do.

.PHONY: help run check build bench lint format fuzz clean

help:   ## print this
	@sed -n 's/^\([a-z]*\): *## /\1\t/p' Makefile | expand -t 10

run:    ## start a private instance under ./run, send it a message, show its way
	@scripts/setup build && scripts/run

check:  ## everything that must pass before a change goes in
	@scripts/check

build:  ## build/bin/sternpost and build/libexec/sternpost/
	@scripts/build

bench:  ## measure beside Postfix
	@scripts/setup bench && bench/run

lint:   ## clang-tidy on everything
	@scripts/setup check && scripts/lint --all

format: ## clang-format on everything
	@scripts/format

fuzz:   ## every fuzz target for a minute
	@scripts/fuzz all 60

clean:  ## remove what was built
	@rm -rf build
