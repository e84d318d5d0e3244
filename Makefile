# Two commands are all a new user needs: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The CPU build of torch; on a CUDA machine: make demo TORCH='torch>=2.6'
TORCH ?= torch==2.13.0
OUT ?= demo-out
# Processes that share the fast tests; 0: this one alone.
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow setup format lint types contracts docs docs-check bench faults fuzz lock sbom wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## install, sharpen a Landsat pair, print its metrics
	$(BIN)/resattn pansharpen resattn/demo/landsat8_pan.tif resattn/demo/landsat8_ms.tif \
	  --out $(OUT)/landsat8.tif --preview --baselines exp,brovey --report $(OUT)/report.json --overwrite
	@echo "look at $(OUT)/landsat8.preview.png and $(OUT)/report.json"

test: $(VENV)/.dev ## install and run the fast test suite, in two processes or JOBS=N
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/.dev ## the tests that take minutes
	$(BIN)/python -m pytest -m slow --timeout 3600

setup: $(VENV)/.dev ## create the environment with the development tools

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet "$(TORCH)" -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet "$(TORCH)" -e ".[dev]"
	@touch $@ $(VENV)/.runtime

format: $(VENV)/.dev ## format and sort imports
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: $(VENV)/.dev ## style, spelling
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/codespell

types: $(VENV)/.dev ## mypy --strict
	$(BIN)/mypy resattn

contracts: $(VENV)/.dev ## cli -> pipelines -> resattn, never back
	$(BIN)/lint-imports

docs: $(VENV)/.dev ## write the generated help pages
	$(BIN)/python docs/generate.py

docs-check: $(VENV)/.dev ## fail when a generated page is stale
	$(BIN)/python docs/generate.py --check

bench: $(VENV)/.dev ## print the numbers README quotes (needs the shared test data)
	$(BIN)/python -m bench.pansharpen

faults: $(VENV)/.dev ## every fault class and goal, slow ones too, as a table; GOALS=G4,F17 those alone
	$(BIN)/python -m pytest -p tests.faults.goals --goals '$(GOALS)' -m '' --timeout 3600

fuzz: $(VENV)/.dev ## mutated inputs for long; FUZZ=100000 mutants of each kind
	RESATTN_FUZZ=$(or $(FUZZ),100000) $(BIN)/python -m pytest -p tests.faults.goals --goals G5 -m '' --timeout 0

lock: $(VENV)/.dev ## resolve requirements.lock again, with hashes
	$(BIN)/python .ci/lock.py

sbom: $(VENV)/.dev ## resattn.cdx.json, a CycloneDX bill of what is installed
	$(BIN)/python .ci/sbom.py > resattn.cdx.json

wheel: $(VENV)/.dev ## build the wheel and try it in a fresh environment
	rm -rf dist build
	$(BIN)/python -m build --wheel --outdir dist .
	bash .ci/try-wheel "$(PYTHON)" "$(TORCH)"

clean: ## remove what can be made again
	rm -rf build dist $(OUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
