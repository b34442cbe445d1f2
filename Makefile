# Everything sets itself up in .venv, and again only when pyproject.toml has changed.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# What chooses its faults at random: minutes of it, where `make test` has moments.
FAULTS := tests/unit/test_storms.py tests/unit/test_cancelling.py tests/unit/test_threads.py tests/unit/test_fast.py \
	tests/unit/test_programs.py tests/unit/test_many_streams.py tests/unit/test_sse.py \
	tests/faults/test_hostile.py tests/aio/faults/test_hostile.py tests/faults/test_streams.py tests/aio/faults/test_streams.py \
	tests/server/test_resuming.py tests/server/test_taking_up.py
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready

.PHONY: help demo test docs check format matrix fuzz faults faults-peers bench screenshots mutate release-check dist \
	release clean

help:  ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: $(INSTALLED)  ## Start the platform with a real model, and talk to it
	@$(RUN) -m nexusai demo

test: $(READY)  ## Run all tests, with a live server and a real model, and measure their coverage
	@$(RUN) scripts/browser.py
	@$(RUN) -m coverage erase
	$(RUN) -m coverage run -m pytest --numprocesses 2 --dist loadfile
	@$(RUN) -m coverage combine --quiet
	@$(RUN) -m coverage report

docs: $(READY)  ## Build the docs site, in English and Chinese, into site/
	@$(RUN) scripts/build_site.py
	@echo "To read it: $(RUN) -m http.server --bind 127.0.0.1 --directory site"

check: $(READY)  ## Lint, formatting, types, and that what is generated is current
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pyright
	$(RUN) scripts/unasync.py --check
	$(RUN) scripts/generate_docs.py --check
	$(RUN) scripts/verify_types.py

format: $(READY)  ## Write what is generated, and format everything
	$(RUN) scripts/unasync.py
	$(RUN) scripts/generate_docs.py
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

matrix: $(READY)  ## Run the SDK's tests on every supported Python that is found
	$(RUN) scripts/matrix.py

fuzz: $(READY)  ## Ask the platform for whatever its API documents allow, for a few minutes
	NEXUS_FUZZ_EXAMPLES=300 $(RUN) -m pytest tests/server/test_schema.py

faults: $(READY)  ## Repeat the random faults for minutes
	NEXUS_FAULT_RUNS=10 $(RUN) -m pytest -s --durations 15 $(FAULTS)

faults-peers: $(READY)  ## The same faults for the peers; writes docs/reliability.md
	$(RUN) -m benchmarks.reliability

bench: $(READY)  ## Measure against the peers, and write docs/performance.md
	$(RUN) -m benchmarks

screenshots: $(READY)  ## Take the pictures of the web console that the docs show
	@$(RUN) scripts/browser.py
	$(RUN) scripts/take_screenshots.py

mutate: $(READY)  ## Change the code in small ways, and see that tests notice; writes docs/mutation.md
	@$(RUN) -m pip install --quiet --group mutation
	$(RUN) scripts/mutate.py

dist: $(READY)  ## Build the wheel and the source archive, check both, and list what the wheel brings
	@$(RUN) -m pip install --quiet --group release
	$(RUN) scripts/build.py

release-check: $(READY)  ## See whether the public names still do what the last release promised
	@$(RUN) -m pip install --quiet --group release
	$(RUN) scripts/test_api_compatibility.py $(if $(VERSION),--version $(VERSION))

release: release-check  ## Version, changelog, commit and tag: make release VERSION=0.2.0
	$(RUN) scripts/release.py $(VERSION)

clean:  ## Remove what these commands have made here
	rm -rf $(VENV) .matrix .bench mutants .coverage* .mypy_cache .pytest_cache .ruff_cache dist site

$(READY): $(INSTALLED)
	@echo "Installing what the tests need ..."
	@$(RUN) -m pip install --quiet --group dev
	@touch $(READY)

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed here: make PYTHON=python3.12 ...")'
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(RUN) -m pip install --quiet --upgrade pip
	@$(RUN) -m pip install --quiet --editable '.[all]'
	@touch $(INSTALLED)
