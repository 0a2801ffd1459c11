"""The objects of a cluster: jobs and pods, their changes, and the watches of clients."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate

from fakes.kubernetes.node import Command, Container, environment_of

VERSION = "1.31"
#: Prefect's manifests have these fields in the pod, which does not have them: like the real server,
#: this one drops them.
_MISPLACED = ("parallelism", "completions")


class Refused(Exception):
    """An error in Kubernetes' format."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    def answer(self) -> dict[str, Any]:
        """Return the object that reports it."""
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
        return {**status, "message": self.message, "code": self.status}


class Cluster:
    """Jobs and their pods, each run on the one node.

    Attributes:
        secrets: values by secret and key.
        created: each job as it was sent.
    """

    def __init__(self, folder: Path, command: Command) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.created: list[dict[str, Any]] = []
        self._folder, self._command = folder, command
        self._objects: dict[tuple[str, str], dict[str, Any]] = {}
        self._events: list[tuple[str, str, dict[str, Any]]] = []
        self._containers: dict[str, Container] = {}
        self._changed = threading.Condition(threading.RLock())
        self._threads: list[threading.Thread] = []
        self._numbers = itertools.count(1)
        self._closing = False

    def system(self) -> dict[str, Any]:
        """Return the namespace whose id Prefect uses to distinguish clusters."""
        meta = {"name": "kube-system", "uid": "uid-of-the-cluster"}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}

    def create(self, namespace: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Check a job, keep it, and start its pod."""
        self.created.append(copy.deepcopy(manifest))
        pod = manifest["spec"]["template"]["spec"]
        for field in _MISPLACED:
            pod.pop(field, None)
        try:
            kubernetes_validate.validate(manifest, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            raise Refused(422, f"{error.message} at {list(error.path)}") from error
        if manifest["metadata"].get("namespace") != namespace:
            raise Refused(400, "the namespace of the object is not that of the request")
        number = next(self._numbers)
        meta = manifest["metadata"]
        meta |= {"name": f"{meta['generateName']}{number:05}", "uid": f"job-{number}"}
        meta["creationTimestamp"] = _now()
        manifest["status"] = {}
        job = self._put("jobs", manifest, "ADDED")
        self._put("pods", _pod_of(job), "ADDED")
        thread = threading.Thread(target=self._run, args=(meta["name"], pod))
        self._threads.append(thread)
        thread.start()
        return job

    def job(self, name: str) -> dict[str, Any]:
        """Return one job."""
        with self._changed:
            found = self._objects.get(("jobs", name))
        if found is None:
            raise Refused(404, f'jobs.batch "{name}" not found')
        return found

    def jobs(self) -> dict[str, Any]:
        """Return the list of all jobs."""
        with self._changed:
            items = [found for (kind, _), found in self._objects.items() if kind == "jobs"]
        return {"apiVersion": "batch/v1", "kind": "JobList", "metadata": {}, "items": items}

    def running(self) -> list[str]:
        """Return the jobs whose containers have not ended."""
        return [name for name, container in self._containers.items() if not container.ended()]

    def pods(self, job: str) -> dict[str, Any]:
        """Return the list of a job's pods: one, or none once it is gone."""
        with self._changed:
            found = self._objects.get(("pods", f"{job}-pod"))
        items = [found] if found else []
        return {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": items}

    def log(self, pod: str) -> Iterator[bytes]:
        """Yield the output of a pod's container until it ends."""
        return self._containers[pod.removesuffix("-pod")].output()

    def watch(self, kind: str, job: str, arguments: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Yield the changes of a job, or of its pod, until the timeout or the cluster's end."""
        name = job if kind == "jobs" else f"{job}-pod"
        end = time.monotonic() + float(arguments.get("timeoutSeconds", 3600))
        with self._changed:
            # Without a version, a watch begins with the existing objects; with one, after it.
            version = int(arguments.get("resourceVersion", 0))
            there = None if version else self._objects.get((kind, name))
            seen = version or len(self._events)
        if there:
            yield {"type": "ADDED", "object": there}
        while new := self._after(seen, end):
            seen += len(new)
            for found, event, state in new:
                if found == kind and state["metadata"]["name"] == name:
                    yield {"type": event, "object": state}

    def _after(self, seen: int, end: float) -> list[tuple[str, str, dict[str, Any]]]:
        """Wait for events after the first `seen`; return none after the timeout or the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or len(self._events) > seen, end - time.monotonic()
            )
            return [] if self._closing or time.monotonic() > end else self._events[seen:]

    def delete(self, name: str, grace: int) -> dict[str, Any]:
        """Stop a job's container, then remove its pod and itself (foreground propagation).

        Until then both can be read, and the job does not change.
        """
        self.job(name)
        with self._changed:
            for kind, of in (("jobs", name), ("pods", f"{name}-pod")):
                if found := copy.deepcopy(self._objects.get((kind, of))):
                    found["metadata"]["deletionTimestamp"] = _now()
                    self._put(kind, found, "MODIFIED")

        def gone() -> None:
            self._containers[name].stop(grace)
            with self._changed:
                self._remove("pods", f"{name}-pod")
                self._remove("jobs", name)

        self._in_background(gone)
        return {"kind": "Status", "apiVersion": "v1", "status": "Success", "metadata": {}}

    def evict(self, name: str, drained: bool) -> None:
        """Evict a job's pod, because its node is drained or short of memory.

        A drained node's pod is deleted; the other stays, failed, without its container's state.
        """
        with self._changed:
            if drained:
                self._remove("pods", f"{name}-pod")
            else:
                status = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}
                self._change("pods", f"{name}-pod", status)
        self._containers[name].stop(0)

    def close(self) -> None:
        """End all watches and containers."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for container in self._containers.values():
            container.stop(0)
        for thread in self._threads:
            thread.join()

    def _run(self, name: str, pod: dict[str, Any]) -> None:
        (spec,) = pod["containers"]
        environment = environment_of(spec, self.secrets)
        command = self._command(f"{name}-pod", pod, environment)
        log = self._folder / f"{name}.log"
        container = Container(command, environment, log)
        with self._changed:
            self._containers[name] = container
            self._change("pods", f"{name}-pod", {"phase": "Running"})
            self._change("jobs", name, {"active": 1, "startTime": _now()})
        code = container.wait()
        with self._changed:
            self._ended(name, spec, code)

    def _ended(self, name: str, spec: Mapping[str, Any], code: int) -> None:
        pod = self._objects.get(("pods", f"{name}-pod"))
        evicted = pod is None or pod["status"].get("reason") == "Evicted"
        if not evicted:
            state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
            status = {"name": spec["name"], "image": spec["image"], "imageID": spec["image"]}
            status |= {"ready": False, "restartCount": 0, "state": state}
            phase = "Failed" if code else "Succeeded"
            self._change("pods", f"{name}-pod", {"phase": phase, "containerStatuses": [status]})
        job = self._objects.get(("jobs", name))
        if job is None or "deletionTimestamp" in job["metadata"]:
            return
        if code or evicted:
            failed = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]
            self._change("jobs", name, {"failed": 1, "conditions": failed})
        else:
            done = [{"type": "Complete", "status": "True"}]
            ended = {"succeeded": 1, "completionTime": _now(), "conditions": done}
            self._change("jobs", name, ended)

    def _put(self, kind: str, state: dict[str, Any], event: str) -> dict[str, Any]:
        with self._changed:
            state["metadata"]["resourceVersion"] = str(len(self._events) + 1)
            self._objects[kind, state["metadata"]["name"]] = state
            self._events.append((kind, event, copy.deepcopy(state)))
            self._changed.notify_all()
        return state

    def _change(self, kind: str, name: str, status: Mapping[str, Any]) -> None:
        found = self._objects.get((kind, name))
        if found:
            self._put(kind, {**copy.deepcopy(found), "status": dict(status)}, "MODIFIED")

    def _remove(self, kind: str, name: str) -> None:
        found = self._objects.get((kind, name))
        if found:
            self._put(kind, copy.deepcopy(found), "DELETED")
            del self._objects[kind, name]

    def _in_background(self, what: Any) -> None:
        thread = threading.Thread(target=what)
        self._threads.append(thread)
        thread.start()


def _pod_of(job: Mapping[str, Any]) -> dict[str, Any]:
    name = job["metadata"]["name"]
    labels = {"job-name": name, "batch.kubernetes.io/job-name": name}
    meta = {"name": f"{name}-pod", "namespace": job["metadata"]["namespace"], "labels": labels}
    meta |= {"uid": f"pod-of-{name}", "creationTimestamp": _now()}
    spec = job["spec"]["template"]["spec"]
    status = {"phase": "Pending"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def _now() -> str:
    return f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
