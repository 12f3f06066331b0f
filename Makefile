# The two commands that matter: `make book` and `make test`. `make help` lists all.
PYTHON ?= python3
WORKERS ?= 3
BIN := .venv/bin
KBE := $(BIN)/python -m kbe
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile -p no:cacheprovider
PAGES ?=
ACCEPT ?=
PORT ?= 8000
# One thread for each of several processes: threads that wait for a busy core cost many times what they gain.
export OMP_NUM_THREADS = 1
# A debugger's warning about frozen modules has no place in a log.
export PYDEVD_DISABLE_FILE_VALIDATION = 1

.PHONY: help book pages serve test test-variants test-kills test-labels fuzz edges lint notebooks draft pdf wasm bench bench-kernels clean
.DEFAULT_GOAL := help

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1\t/' | expand -t 16

# pip reads `-e .` from the requirements, so both files decide whether the environment is up to date.
.venv/stamp: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

book: .venv/stamp ## execute what has changed and build the pages: _build/html/index.html
	$(KBE) build

# A page takes some seconds: CI opens each in one of the looks in turn.
pages: .venv/stamp ## the built pages in a browser, if there is one: no fault of access, no request; EVERY_LOOK=1 for all
	$(PYTEST) --dist load -rs tests/pages.py

serve: .venv/stamp ## build the pages, show them on this machine alone, build again at every save; PORT=8000
	$(KBE) serve --port $(PORT)

# A page that fails to execute is named at once; the tests then run all the same, and fail for it.
test: .venv/stamp lint ## linter, type checker, unit tests, and what the pages print against what is stored
	-$(KBE) execute
	$(PYTEST) tests book

lint: .venv/stamp ## the linter, the format and the types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy kbe

# What a chapter prints for regression must not depend on threads or on vector instructions.
VARIANTS := OMP_NUM_THREADS=2 ATEN_CPU_CAPABILITY=default ATEN_CPU_CAPABILITY=avx2 NUMBA_CPU_NAME=generic
test-variants: .venv/stamp ## the stored outputs with two threads, and with older vector instructions
	set -e; for variant in $(VARIANTS); do env $$variant $(KBE) execute; env $$variant $(PYTEST) book; done

KILLS ?= 50
test-kills: .venv/stamp ## random kills of a sweep's processes, some minutes; KILLS=50, `make test` tries one
	KILLS=$(KILLS) SEED=$(SEED) $(PYTEST) tests/book/test_sweep.py -k kill

test-labels: .venv/stamp ## in every chapter, with small parameters: arrays meet with exact labels; `make test` tries a third
	EVERY_CHAPTER=1 $(PYTEST) tests/test_labels.py

CALLS ?= 100
FOLDERS ?=
fuzz: .venv/stamp ## malformed calls of every function, other ones each time; CALLS=100 of each, FOLDERS="theory|figures"
	PYTHONPATH=tests $(BIN)/python -m fuzzing $(CALLS) "$(FOLDERS)" $(SEED)

RUNS ?= 250
CHAPTERS ?=
edges: .venv/stamp ## chapters with parameters at the edges of their bounds, 20 minutes; RUNS=250, CHAPTERS="model|scale"
	PYTHONPATH=tests $(BIN)/python -m fuzzing.edges "$(CHAPTERS)" $(RUNS) $(SEED)

notebooks: .venv/stamp ## store what the pages print; PAGES="model scale" for some, ACCEPT="scale:grows" where it is meant
	$(KBE) notebooks $(PAGES) $(if $(ACCEPT),--accept $(ACCEPT))

draft: .venv/stamp ## the whole book with small parameters, quickly: _build/draft/_build/html/index.html
	$(KBE) draft

pdf: .venv/stamp ## the book as a PDF: _build/latex/book.pdf
	@command -v xelatex >/dev/null && command -v latexmk >/dev/null || { echo "LaTeX is missing: install xelatex and latexmk (on Debian:\
	 apt-get install --no-install-recommends texlive-xetex texlive-fonts-recommended latexmk fonts-freefont-otf)."; exit 1; }
	$(KBE) build --pdf

wasm: .venv/stamp ## the compiled training for the page, once its source has changed; needs `pip install ziglang`, or LLVM's lld
	$(BIN)/python -m kbe.page.webassembly

bench: .venv/stamp ## the speed of the ways to train, as ratios to a plain loop: benchmarks/latest.json
	$(BIN)/python benchmarks/run.py --output benchmarks/latest.json

bench-kernels: .venv/stamp ## the tangent kernel beside other packages, as far as they are installed: benchmarks/kernels.json
	$(BIN)/python benchmarks/kernels.py --output benchmarks/kernels.json

clean: ## remove what was built, not the environment
	rm -rf _build
	find kbe -name __pycache__ -prune -exec rm -rf {} +
