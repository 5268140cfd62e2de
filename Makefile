# make run    the whole plant, in the background; make stop ends it
# make test   lint, types and all tests that fit in a few minutes
# make soak   the long kill, load and soak runs; TICKPLANT_SEED=... repeats one
# make bench  the benchmarks (docs/performance.md)
# make cluster  three servers of NATS and two plants, one of which follows, to try the mirror with (docs/scale.md)
# make lint   ruff and mypy alone; make format rewrites the code in our format

PYTHON ?= python3
BIN := .venv/bin

.PHONY: run stop test soak cluster bench bench-servers bench-csp bench-vectorbt archive-readers lint format docs install browser clean

run: install
	$(BIN)/plant up -d

stop: install
	$(BIN)/plant down

# One worker more than there are CPUs, since many tests wait. By files, so that a module's plant is made once; tests/conftest.py puts
# the files with whole plants early and among the others, and the order is kept.
# The lint goes beside the tests, many of which wait.
test: install browser
	@log=$$(mktemp); $(MAKE) --no-print-directory lint > $$log 2>&1 & lint=$$!; \
	$(BIN)/python -m pytest -m "not soak" -n $$(($$(nproc) + 1)) --dist loadfile --no-loadscope-reorder; tests=$$?; \
	wait $$lint; linted=$$?; cat $$log; rm -f $$log; [ $$tests = 0 ] && [ $$linted = 0 ]

soak: install archive-readers
	TICKPLANT_SOAK=1 $(BIN)/python -m pytest -m "soak or hypothesis" -s --timeout 3600

bench: install bench-servers bench-csp bench-vectorbt
	for name in capture query history page computing backtests service mirroring archiving; do $(BIN)/python -m benchmarks.$$name || exit 1; done

cluster: install
	$(BIN)/python examples/cluster.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install
	$(BIN)/python docs/render_tables.py
	$(BIN)/python docs/make_tour.py

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tickplant needs Python 3.11 or newer; make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# The browser test needs Chromium; without it, and without the right to install it, that test is skipped and says so.
browser:
	@command -v chromium > /dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium > /dev/null; } \
		|| echo "no chromium: the browser test will be skipped"

# What the plant is compared with. Where a server is missing and cannot be installed, its lines say so. Debian starts the
# services that it installs; the benchmarks start servers of their own.
bench-servers:
	@PATH="$$PATH:/usr/sbin"; { command -v redis-server && command -v nats-server; } > /dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server nats-server > /dev/null \
		&& { service redis-server stop || true; service nats-server stop || true; } > /dev/null 2>&1; } \
		|| echo "redis-server or nats-server is missing: its lines will say so"

# csp does not go with our pyarrow, so it has an environment of its own.
bench-csp: .venv-csp/installed

.venv-csp/installed:
	@$(PYTHON) -m venv .venv-csp && .venv-csp/bin/pip install --quiet --disable-pip-version-check csp==0.19.1 && touch $@ \
		|| echo "csp cannot be installed: its lines will say so"

# vectorbt goes with our pandas, but brings forty packages along, numba and scikit-learn among them.
bench-vectorbt: .venv-vectorbt/installed

.venv-vectorbt/installed:
	@$(PYTHON) -m venv .venv-vectorbt && .venv-vectorbt/bin/pip install --quiet --disable-pip-version-check vectorbt==1.2.0 && touch $@ \
		|| echo "vectorbt cannot be installed: its lines will say so"

# Who reads the archive beside the plant: DuckDB of a version that has its extensions on PyPI, ClickHouse, Dask, Ray, Spark.
archive-readers: .venv-archive/installed

.venv-archive/installed:
	@$(PYTHON) -m venv .venv-archive && .venv-archive/bin/pip install --quiet --disable-pip-version-check duckdb==1.5.5 \
		duckdb-extensions duckdb-extension-httpfs==1.5.5 duckdb-extension-iceberg==1.5.5 duckdb-extension-avro==1.5.5 \
		chdb==4.4.0 polars 'pyiceberg[sql-sqlite,pyarrow]==0.12.0' 'dask[dataframe]' ray pyspark && touch $@ \
		|| echo "what reads the archive cannot be installed: its tests will be skipped and say so"

clean:
	rm -rf .venv .venv-csp .venv-vectorbt .venv-archive build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
