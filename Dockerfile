# The image of the flows. It runs one of them and ends; nothing in it waits for requests.
#   docker run --rm IMAGE python flows/etl_web_to_gcs.py --source sample
ARG BASE=prefecthq/prefect:2.20.26-python3.11
FROM ${BASE}

WORKDIR /opt/prefect

# What changes seldom comes first: a changed flow makes the last layers alone anew.
# uv installs in half of pip's time, and is not needed afterwards.
COPY requirements.txt docker-requirements.txt constraints.txt ./
RUN pip install --quiet --no-cache-dir -c constraints.txt uv \
    && uv pip install --quiet --no-cache --compile-bytecode --python "$(command -v python)" \
        -r docker-requirements.txt -c constraints.txt \
    && pip uninstall --quiet --yes uv

# Nobody in the container is root. What is kept goes to data, where a volume is mounted: the locks
# of the scratch folder too, so that two containers do not bring the same month.
RUN useradd --uid 1000 --create-home flows \
    && install --directory --owner=flows --group=flows home data
USER flows
ENV PREFECT_HOME=/opt/prefect/home \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    TRIPS_DATA=/opt/prefect/data \
    TRIPS_SCRATCH=/opt/prefect/data/scratch
# Prefect's database for runs without a server, or each of them would make it first.
RUN PYTHONWARNINGS=ignore prefect server database upgrade --yes > /dev/null

# What is deployed from here asks for this file, or makes it, which flows may not.
COPY .prefectignore ./
COPY blocks blocks
COPY deployments deployments
COPY flows flows
