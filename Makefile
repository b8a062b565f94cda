# The developer's commands; `make` alone lists them. Each one sets itself up the first time (scripts/setup.sh); the
# stamp that it leaves in .venv makes that cost nothing from then on. make PYTHON=python3.13 setup picks the Python.

MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.PHONY: help setup demo stub test unit soak faults fuzz bench docs man lint format types layers lock
.PHONY: audit workflows dist image publish-image packages moved

ready := .venv/.ready
inputs := pyproject.toml uv.lock scripts/setup.sh scripts/uv.sh scripts/uv.txt

# A worker of pytest-xdist for each core, 4 to 8 of them, since many tests wait; those of tests/unit do not. tests/support/tiers.py says
# which tests stay together.
cores := $(shell nproc 2>/dev/null || echo 2)
count := $(if $(filter 1 2 3 4,$(cores)),4,$(if $(filter 5 6 7,$(cores)),$(cores),8))
workers := --numprocesses $(count) --dist loadscope --no-loadscope-reorder

export PYTHON
# The tests start hundreds of processes, which need bytecode: it is written into the clone, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

setup: $(ready) ## make .venv with exactly what uv.lock names
	@:

demo: $(ready) ## watch the sender carry mail from a queue to a mailbox, on this machine only
	@.venv/bin/python scripts/demo.py

stub: $(ready) ## leave the stub identity server running to play with; make stub SENDER=1 starts the sender beside it
	@.venv/bin/python scripts/stub.py $(if $(SENDER),--sender) $(FLAGS)

test: $(ready) packages ## everything that CI runs, with lint, types, layers and lock as tests (tests/repo/test_checks.py)
	@.venv/bin/pytest $(workers)

unit: $(ready) ## the tests without I/O, in under a minute
	@.venv/bin/pytest $(workers) --numprocesses $(cores) tests/unit

soak: $(ready) packages ## what takes an hour or more: long queues, an image from nothing, more examples, every fault
	@.venv/bin/pytest -m soak
	@HYPOTHESIS_PROFILE=soak .venv/bin/pytest $(workers) --timeout 900 tests/unit tests/contract
	@$(MAKE) fuzz
	@$(MAKE) faults

faults: $(ready) ## the whole fault campaign, about an hour; make faults FAMILY=F5 SEED=7 CONNECTIONS=16 JOBS=2 LEDGER=postgresql runs a part
	@.venv/bin/python -m tests.faults $(if $(FAMILY),--family $(FAMILY)) $(if $(SEED),--seed $(SEED)) \
		$(if $(CONNECTIONS),--connections $(CONNECTIONS)) $(if $(JOBS),--jobs $(JOBS)) $(if $(LEDGER),--ledger $(LEDGER))

fuzz: $(ready) ## 50,000 configurations, answers and replies at random, in minutes; make fuzz SEED=7 TARGET=replies COUNT=100
	@.venv/bin/python -m tests.fuzz $(if $(TARGET),--target $(TARGET)) $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT))

bench: $(ready) ## mails per second, CPU and memory beside a bare loop, in 15 minutes; make bench QUICK=1 takes one
	@.venv/bin/python -m tests.bench $(if $(QUICK),--quick) $(if $(TURNS),--turns $(TURNS)) $(if $(WRITE),--write)

docs: $(ready) ## the documentation as a site, in .cache/site; a broken link fails
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

man: $(ready) ## the pages for man(1) and the scripts for shells, made anew from the command line
	@.venv/bin/python -m scripts.manual

lint: $(ready) ## ruff: rules and formatting
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check

format: $(ready) ## ruff: mend what it can, and format
	@.venv/bin/ruff check --fix --exit-zero
	@.venv/bin/ruff format

types: $(ready) ## mypy --strict
	@.venv/bin/mypy

layers: $(ready) ## import-linter: imports point one way
	@.venv/bin/lint-imports --cache-dir .cache/import-linter

lock: $(ready) ## uv.lock fits pyproject.toml
	@scripts/uv.sh lock --check --quiet

audit: $(ready) ## licences of what the image installs, and advisories against any package of the lock
	@.venv/bin/python scripts/audit.py

workflows: ## actionlint, with Go: the files of .github/workflows
	@go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.7

dist: $(ready) ## wheel and sdist in dist/; TAG=v1.2.3: only if the version and the changelog say so, too
	@scripts/dist.sh $(TAG)

image: ## the image for this architecture, by buildah, as dist/mail-sender-*.oci.tar
	@scripts/image.sh $(FLAGS)

publish-image: # what `make image` made, for several architectures, as IMAGE with the tags of TAG=v1.2.3
	@scripts/publish-image.sh $(TAG) $(IMAGE)

packages: # Debian packages for the tests, with CI=true as root only
	@scripts/debian-packages.sh

$(ready): $(inputs) $(if $(filter $(CURDIR),$(shell cat .venv/.ready 2>/dev/null)),,moved)
	@scripts/setup.sh
