"""Code independent of months and Prefect: errors, disk, scratch folders, storage, downloads."""

import os
import sys

# Arrow reads this while it is imported. For pieces of a few megabytes jemalloc takes a seventh less
# memory than Arrow's own choice, and a tenth less time for row groups. Not every build of Arrow for
# other systems has it.
if sys.platform == "linux":
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")

# numpy reads this while it is imported. OpenBLAS would start a thread for each core, which takes a
# tenth of a second of CPU time on two cores; nothing here multiplies matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
