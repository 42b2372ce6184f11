# Two commands: `make demo` shows what the package does, `make test` shows that it is right.
# Each makes its own environment in .venv on first use.

# The newest interpreter that really runs (a name on the path may be a dead shim).
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test test-all test-hold test-optimised test-docs test-browser test-versions check-code \
	bench docs figures figures-fresh verdicts reproductions clean

# Where a machine sets it, each of the hundreds of processes that tests start would read all sources.
unexport PYTHONDONTWRITEBYTECODE

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "ci_theory needs Python >= 3.11 on the path" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable ".[data]"
	@touch $@

demo: $(STAMP)
	$(BIN)/ci-theory demo --out results

# Most of the tests' time is compilation: they compile without the expensive optimisations, with
# XLA's older and much quicker generator of loops (the pinned jaxlib still has it), in one part.
# `make test-optimised` repeats the accuracy of the theory on the programs that users run, and checks
# the shapes that functions are annotated with.
QUICKLY := JAX_DISABLE_MOST_OPTIMIZATIONS=1 \
	XLA_FLAGS="--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"

# Of the tests that take long, those run of which anything has changed since they passed, and one in
# HELD of the rest, others with each commit; `make test-all` runs every one (tests/held.py).
HELD := 48
test: $(STAMP)
	$(QUICKLY) $(BIN)/python -m pytest --numprocesses auto --dist loadfile --held $(HELD)

test-all: $(STAMP)
	$(QUICKLY) $(BIN)/python -m pytest --numprocesses auto --dist loadfile

# All, with those of `make test-optimised`; what took long and passed is recorded in tests/held.json.
# `make test-browser RECORD=--hold` records the pages.
test-hold: $(STAMP)
	$(QUICKLY) $(BIN)/python -m pytest --numprocesses auto --dist loadfile --hold
	CI_THEORY_SHAPES=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ACCURACY) $(SHAPES) --hold

ACCURACY := $(addprefix tests/theory/,spectra/test_fixed_point.py ridge/test_ridge.py \
	rows/test_repetition.py features/test_random_features.py rows/test_noise_kinds.py \
	rows/test_contamination.py rows/test_imbalance.py dynamics/test_flow.py)

# What simulations are made of; every one of them, and every theory, traced; breaks; the user's rows.
SHAPES := $(addprefix tests/laws/test_,shapes.py theory_shapes.py systems.py biases.py tasks.py \
	closed_form.py) \
	$(addprefix tests/stats/test_,crossing.py peak.py valley.py statistic.py check.py) \
	tests/own_data/test_learning_curve.py

test-optimised: $(STAMP)
	CI_THEORY_SHAPES=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ACCURACY) $(SHAPES) --held $(HELD)

# The oldest libraries that pyproject.toml allows and the newest that there are, each with the oldest
# or newest Python on the path: what touches every layer. Before a release, not with every change.
ACROSS := tests/sweeps/test_parts.py tests/sweeps/test_store.py tests/cli/test_cli_entry.py \
	tests/cli/test_cli_predict.py tests/cli/test_cli_run.py tests/laws/test_phenomena.py -k "not test_law or ridge_peak"
test-versions:
	python3.11 -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --constraint constraints-oldest.txt \
		--editable ".[data]" pytest pytest-timeout hypothesis mpmath
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade --editable ".[data]" \
		pytest pytest-timeout hypothesis mpmath
	.venv-oldest/bin/python -m pytest -q $(ACROSS)
	.venv-newest/bin/python -m pytest -q $(ACROSS)

# The pages of `ci-theory explore` in a real browser: Debian's Chromium, or another by its path.
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

RECORD := --held $(HELD)

test-browser: $(STAMP)
	@test -n "$(CHROMIUM)" || { echo "make test-browser needs Chromium: apt-get install chromium" >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group browser
	$(QUICKLY) CI_THEORY_BROWSER="$(CHROMIUM)" $(BIN)/python -m pytest tests/browser $(RECORD)

check-code: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src
	$(BIN)/codespell src tests docs experiments paper_figs reproductions benchmarks README.md CHANGELOG.md

# The site of docs/, to be read offline: results/docs/html/index.html. About two minutes, most of it
# the tutorials, which are run; the pages to play with are written beside them on another core, and
# kept while the package is the same. A warning is an error; the pages are read when they are built.
# Without running the tutorials, and with one page to play with, in a third of the time:
#   make docs PLAY=ridge_peak SPHINX="-D nb_execution_mode=off -D suppress_warnings=myst-nb.lexer"
DOCS := .venv/.docs
SPHINX :=
PLAY :=

$(DOCS): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group docs
	@touch $@

docs: $(DOCS)
	PYTHONPATH=docs $(BIN)/python -m web.build results/docs $(addprefix --play=,$(PLAY)) $(SPHINX)
	PYTHONPATH=docs $(BIN)/python -m web.checked results/docs/html

# Every page of it in a browser, Debian's Chromium or the one that CHROMIUM names.
test-docs: docs
	PYTHONPATH=docs $(BIN)/python -m web.walk results/docs/html

bench: $(STAMP)
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python -m benchmarks

# From the results kept in paper_figs/data (python paper_figs/_keep.py makes them).
figures: $(STAMP)
	$(BIN)/ci-theory figure --all --out results/figures

# Runs all sweeps of the figures anew, more than an hour on two cores (resumed if interrupted; to
# begin again, remove results/fresh); exit code 1 if fresh and kept results differ beyond errors.
figures-fresh: $(STAMP)
	$(BIN)/ci-theory figure --all --fresh --stores results/fresh --out results/figures-fresh

# Runs every declared sweep that is not in results/stores yet, about an hour on two cores; writes
# src/ci_theory/answers.json, docs/verdicts.md and the findings in README.md.
verdicts: $(STAMP)
	$(BIN)/python paper_figs/_verdicts.py

# Recomputes published results (docs/reproductions.md), two to three minutes of one core; exit code 1
# if a claim disagrees that did not.
reproductions: $(STAMP)
	$(BIN)/python -m reproductions

clean:
	rm -rf .venv .venv-oldest .venv-newest results .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
