"""As receptor's work and AWX's schedules do: what a host has, and removing what jobs have left."""

import argparse
import os
import sys
import time
import uuid
from pathlib import Path

from ansible_runner import cleanup, defaults
from ansible_runner.utils import cleanup_artifact_dir, dump_artifact
from ansible_runner.utils.capacity import ensure_uuid, get_cpu_count, get_mem_in_bytes

folder = Path(sys.argv[1])
print(get_cpu_count() == os.cpu_count(), isinstance(get_mem_in_bytes(), int), get_mem_in_bytes())
name = ensure_uuid(folder / "uuid")
print(uuid.UUID(name).hex == name.replace("-", ""), ensure_uuid(folder / "uuid") == name)
print(oct((folder / "uuid").stat().st_mode))
for number in range(3):
    (folder / f"awx_{number}").mkdir()
    os.utime(folder / f"awx_{number}", (time.time() - 7200 - number, time.time() - 7200 - number))
(folder / "awx_new").mkdir()
cleanup.run_cleanup({"file_pattern": str(folder / "awx_*"), "exclude_strings": ["awx_1"], "grace_period": 60})
print(sorted(path.name for path in folder.glob("awx_*")))
print(cleanup.cleanup_dirs(str(folder / "awx_*"), grace_period=0))
print(cleanup.cleanup_dirs(str(folder / "awx_*")))
flags = argparse.Namespace(file_pattern=str(folder / "none_*"), remove_images=None, image_prune=False)
cleanup.run_cleanup(vars(flags))
print(
    defaults.GRACE_PERIOD_DEFAULT,
    defaults.registry_auth_prefix,
    defaults.default_process_isolation_executable,
    defaults.AUTO_CREATE_NAMING,
    defaults.AUTO_CREATE_DIR,
)

written = dump_artifact("text", str(folder / "new" / "place"), "name")
print(os.path.relpath(written, folder), Path(written).read_text(), oct(Path(written).stat().st_mode))
dump_artifact("other", str(folder / "new" / "place"), "name")
print(Path(written).read_text(), os.path.dirname(dump_artifact("x", str(folder / "new"))) == str(folder / "new"))
for number in range(4):
    run = folder / "artifacts" / f"run-{number}"
    (run / "job_events").mkdir(parents=True)
    os.utime(run, (1000 + number, 1000 + number))
cleanup_artifact_dir(str(folder / "artifacts"), 0)
print(len(os.listdir(folder / "artifacts")))
cleanup_artifact_dir(str(folder / "artifacts"), 2)
print(sorted(os.listdir(folder / "artifacts")))
