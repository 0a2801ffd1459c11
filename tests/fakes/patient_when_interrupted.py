"""Run a flow file as a command that has more time to report its runs as crashed after Ctrl-C.

patient_when_interrupted.py FLOW_FILE OPTIONS...; a busy machine needs more than a person waits.
"""

from __future__ import annotations

import runpy
import sys

from orchestration import interrupts

interrupts.REPORT_SECONDS = 50
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
