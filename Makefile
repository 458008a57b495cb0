# Everything here is one command underneath; make only sets .venv up first.
PYTHON ?= python3
BIN := .venv/bin
# 1 takes the torch that PYTHON has; a .venv made so stays so.
REUSE_TORCH ?= $(shell sed -n 's/^include-system-site-packages = true/1/p' .venv/pyvenv.cfg 2>/dev/null)

.PHONY: help docs install test test-divergences test-divergences-a-to-d test-divergences-e-to-z test-gans \
	test-gans-a-to-f test-gans-g-to-z test-scripts slow lint mutants reproduce tensorboard clean

help:
	@echo "make install      set .venv up from pyproject.toml and constraints.txt (REUSE_TORCH=1: see CONTRIBUTING.md)"
	@echo "make test         lint, types and tests"
	@echo "make test-gans    one package's tests; also test-divergences, test-scripts"
	@echo "make slow         the tests marked slow"
	@echo "make mutants      change the code of a few files and list what no test notices"
	@echo "make docs         API pages from the docstrings, in build/docs"
	@echo "make reproduce    run every argument into runs/reproduce and print the claims"
	@echo "make tensorboard  look at the runs"
	@echo "make clean        remove .venv and caches, keep runs"

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
ifeq ($(REUSE_TORCH),1)
	$(PYTHON) -m venv --system-site-packages .venv
	sed '/^torch==/d' constraints.txt >.venv/constraints.txt
	$(BIN)/python -c 'from importlib.metadata import version; print("torch==" + version("torch"))' >>.venv/constraints.txt
else
	$(PYTHON) -m venv .venv
	cp constraints.txt .venv
endif
	$(BIN)/python -m pip install --quiet --editable '.[test,dev]' --constraint .venv/constraints.txt
	touch $@

# A process for each part, a thread each: side by side they keep two cores busy to the end.
test: install
	@$(MAKE) --no-print-directory --jobs=4 --keep-going test-scripts test-gans test-divergences lint

test-%: export OMP_NUM_THREADS = 1

test-divergences: test-divergences-a-to-d test-divergences-e-to-z

test-divergences-a-to-d: install
	$(BIN)/python -m pytest tests/divergences/test_[a-d]*.py

test-divergences-e-to-z: install
	$(BIN)/python -m pytest tests/divergences/test_[e-z]*.py divergences

test-gans: test-gans-a-to-f test-gans-g-to-z

test-gans-a-to-f: install
	$(BIN)/python -m pytest tests/gans/test_[a-f]*.py

test-gans-g-to-z: install
	$(BIN)/python -m pytest tests/gans/test_[g-z]*.py gans

test-scripts: install
	$(BIN)/python -m pytest tests/scripts tests/test_*.py

slow: install
	$(BIN)/python -m pytest -m slow

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

mutants: install
	$(BIN)/mutmut run
	$(BIN)/mutmut results

docs: install
	$(BIN)/python -m pip install --quiet --editable '.[docs]' --constraint .venv/constraints.txt
	$(BIN)/python -m scripts.api_pages build/docs

reproduce: install
	$(BIN)/python -m scripts.reproduce

tensorboard: install
	$(BIN)/tensorboard --logdir runs

clean:
	rm -rf .venv .pytest_cache .ruff_cache
