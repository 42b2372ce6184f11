# Two commands: `make demo` shows what the package does, `make test` shows that it is right.
# Each makes its own environment in .venv on first use.

# The newest interpreter that really runs (a name on the path may be a dead shim).
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test test-optimised test-browser check-code bench figures figures-fresh verdicts clean

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

test: $(STAMP)
	$(QUICKLY) $(BIN)/python -m pytest --numprocesses auto --dist loadfile

ACCURACY := $(addprefix tests/theory/,spectra/test_fixed_point.py ridge/test_ridge.py \
	rows/test_repetition.py features/test_random_features.py rows/test_noise_kinds.py \
	rows/test_contamination.py rows/test_imbalance.py dynamics/test_flow.py)

test-optimised: $(STAMP)
	CI_THEORY_SHAPES=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ACCURACY)

# The pages of `ci-theory explore` in a real browser: Debian's Chromium, or another by its path.
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

test-browser: $(STAMP)
	@test -n "$(CHROMIUM)" || { echo "make test-browser needs Chromium: apt-get install chromium" >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group browser
	$(QUICKLY) CI_THEORY_BROWSER="$(CHROMIUM)" $(BIN)/python -m pytest tests/browser

check-code: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src
	$(BIN)/codespell src tests docs experiments paper_figs benchmarks README.md CHANGELOG.md

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

clean:
	rm -rf .venv results .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
