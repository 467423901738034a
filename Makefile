# Everything happens in .venv, which these commands make; PYTHON says with which Python.
#
#   make demo    install sammed and run the demo, into demo-output/
#   make test    install sammed for development and run everything that CI runs
#
# Each check is a target of its own: lint, format, spelling, types, imports, tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHECKS := lint format spelling types imports tests

.PHONY: demo test $(CHECKS) clean

demo: $(VENV)/installed
	@scripts/step "the demo" $(BIN)/sammed demo --overwrite

# One after another, also with make -j: the tests come last and close with their count.
test: $(VENV)/installed-test
	@for check in $(CHECKS); do $(MAKE) --no-print-directory $$check || exit 1; done

lint: $(VENV)/installed-test
	@scripts/step "ruff" $(BIN)/ruff check

format: $(VENV)/installed-test
	@scripts/step "ruff's format" $(BIN)/ruff format --check

spelling: $(VENV)/installed-test
	@scripts/step "codespell" $(BIN)/codespell

types: $(VENV)/installed-test
	@scripts/step "mypy" $(BIN)/mypy

imports: $(VENV)/installed-test
	@scripts/step "import-linter" $(BIN)/lint-imports

# A process a core, each with one thread: torch's threads would spin against each other.
tests: $(VENV)/installed-test
	@OMP_NUM_THREADS=1 scripts/step "the tests" $(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term

# The stamps are set when pip is done, so an installation that broke off is tried again.
$(VENV)/installed: pyproject.toml
	@scripts/step "installing sammed" scripts/install $(PYTHON) $(VENV) .
	@touch $@

$(VENV)/installed-test: pyproject.toml
	@scripts/step "installing sammed for development" scripts/install $(PYTHON) $(VENV) ".[test]"
	@touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage
