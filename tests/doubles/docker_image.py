"""The image of the flows, on Prefect's own base image or, where no registry answers, a stand-in."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from doubles.docker_engine import install, run

PROJECT = Path(__file__).absolute().parents[2]
IMAGE = "zoom-flows:test"
BASE = "prefecthq/prefect:2.20.26-python3.11"
#: Never under the name of the real one: it would be taken for it in the engine of a developer.
STAND_IN = "zoom-flows-stand-in:bookworm"
#: What the real base image has and a program in it uses; Prefect itself comes with the
#: requirements, of the same version.
PACKAGES = "ca-certificates,libstdc++6,passwd,python3-minimal,python3-venv,tini,tzdata"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_DOCKERFILE = """
FROM {debian}
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PATH=/opt/venv/bin:$PATH LANG=C.UTF-8 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN python3 -m venv /opt/venv
ENTRYPOINT ["/usr/bin/tini", "-g", "--"]
"""


def build() -> str:
    """Build the image with `make image`; returns its name."""
    base = BASE if _has(BASE) or _pulled(BASE) else _stand_in()
    options = f"--quiet --network host --build-arg BASE={base}"
    run("make", "image", f"IMAGE={IMAGE}", f"BUILD={options}", cwd=PROJECT, seconds=900)
    return IMAGE


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
        # The certificates of this machine: it may be behind a proxy that has its own.
        Path(folder, _CERTIFICATES.name).write_bytes(_CERTIFICATES.read_bytes())
        run("docker", "build", "--network", "host", "--tag", STAND_IN, folder, seconds=300)
    return STAND_IN
