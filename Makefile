# The two commands that matter: `make book` and `make test`. `make help` lists all.
PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
BUILD := $(BIN)/jupyter-book build . --all -W --keep-going
NBVAL := --nbval-lax --nbval-current-env --nbval-cell-timeout=600
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile -p no:cacheprovider
PAGES ?=
# A debugger's warning about frozen modules has no place in a log.
export PYDEVD_DISABLE_FILE_VALIDATION = 1

.PHONY: help book test test-variants lint notebooks draft pdf bench clean
.DEFAULT_GOAL := help

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1\t/' | expand -t 16

# pip reads `-e .` from the requirements, so both files decide whether the environment is up to date.
.venv/stamp: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

# numba keeps what it compiled and looks for changes in a function's own file only, not in what it calls.
.venv/compiled: .venv/stamp kbe/simd.py $(wildcard kbe/lane*.py)
	rm -f kbe/__pycache__/*.nbi kbe/__pycache__/*.nbc
	touch $@

book: .venv/compiled ## execute every chapter and build the pages: _build/html/index.html
	$(BUILD)

# One thread for each of the two workers: threads that wait for a busy core cost many times what they gain.
test: .venv/compiled lint ## linter, type checker, unit tests, pairing check, stored outputs against new ones
	OMP_NUM_THREADS=1 $(PYTEST) $(NBVAL) tests book

lint: .venv/stamp ## the linter, the format and the types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy kbe

# What a chapter prints for regression must not depend on threads or on vector instructions.
test-variants: .venv/compiled ## the stored outputs with one thread, two threads, and older vector instructions
	OMP_NUM_THREADS=1 $(PYTEST) $(NBVAL) book
	OMP_NUM_THREADS=2 $(PYTEST) $(NBVAL) book
	OMP_NUM_THREADS=1 ATEN_CPU_CAPABILITY=default $(PYTEST) $(NBVAL) book
	OMP_NUM_THREADS=1 ATEN_CPU_CAPABILITY=avx2 $(PYTEST) $(NBVAL) book
	OMP_NUM_THREADS=1 NUMBA_CPU_NAME=generic $(PYTEST) $(NBVAL) book

notebooks: .venv/compiled ## make, execute and store the notebooks from their text; PAGES="book/model.md" for some of them
	$(BIN)/python -m kbe notebooks $(PAGES)

draft: .venv/compiled ## the whole book with small parameters, quickly: _build/draft/_build/html/index.html
	$(BIN)/python -m kbe draft _build/draft
	$(BIN)/jupyter-book build _build/draft --all

pdf: .venv/compiled ## the book as a PDF: _build/latex/book.pdf
	@command -v xelatex >/dev/null && command -v latexmk >/dev/null || { echo "LaTeX is missing: install xelatex and latexmk (on Debian:\
	 apt-get install --no-install-recommends texlive-xetex texlive-fonts-recommended latexmk fonts-freefont-otf)."; exit 1; }
	$(BIN)/jupyter-book build . --all --builder pdflatex

bench: .venv/compiled ## the speed of the ways to train, as ratios to a plain loop: benchmarks/latest.json
	$(BIN)/python benchmarks/run.py --output benchmarks/latest.json

clean: ## remove what was built, not the environment
	rm -rf _build
