# The image of the flows. It runs one of them and ends; nothing in it waits for requests.
#   docker run --rm IMAGE python flows/etl_web_to_gcs.py --source sample
ARG BASE=prefecthq/prefect:2.20.26-python3.11
FROM ${BASE}

WORKDIR /opt/prefect

# What changes seldom comes first: a changed flow makes the last layers alone anew.
# uv installs in half of pip's time, and is not needed afterwards. Neither are the packages' tests
# and headers, nor the descriptions of Google's services, 110 MB, other than Cloud Run, which
# prefect-gcp can start. They go in the step that installs them, or the layer would keep them.
# Bytecode saves each run 3 s of CPU time, as the user of the container cannot write any. What
# Prefect imports, it keeps: scanning that for garbage takes a sixth of the CPU time of a start, and
# a second at exit. With DuckDB imported, the scan at exit stays: otherwise DuckDB reports its own
# objects as leaked.
COPY requirements.txt docker-requirements.txt constraints.txt ./
RUN pip install --quiet --no-cache-dir --no-compile -c constraints.txt uv \
    && uv pip install --quiet --no-cache --python "$(command -v python)" \
        -r docker-requirements.txt -c constraints.txt \
    && pip uninstall --quiet --yes uv \
    && packages="$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
    && find "$packages" -type d \( -name tests -o -name test -o -name include \) \
        -prune -exec rm -r {} + \
    && find "$packages/googleapiclient/discovery_cache/documents" -type f \
        ! -name 'run.*' -delete \
    && python -m compileall -q -j 0 "$packages" \
    && echo "import atexit, gc, sys; gc.set_threshold(50_000); atexit.register(lambda" \
        "gc=gc, sys=sys: '_duckdb' in sys.modules or gc.freeze())" > "$packages/collect_seldom.pth"

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
USER root
RUN python -m compileall -q -j 0 flows
USER flows
