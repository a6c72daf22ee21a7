"""peers - how each mail server is configured and run.

A server is a class with setup(mode), argv() and queued(); mode is "local"
(Maildirs of user0... in their homes), "relay" (all to 127.0.0.1:SINK), "slow"
(the same, 100 connections allowed), "idle" (local, room for many sessions).
"""
import os, shutil, signal, socket, subprocess, time

PORT, SINK = 2525, 2600
DOMAIN = "bench.test"


class Peer:
    name = "?"
    weight = 1.0
    most = float("inf")     # messages a second that can be offered to it
    tls = pipelining = True

    def __init__(self, world, variant=""):
        from world import Cgroup
        self.world, self.variant = world, variant
        self.title = self.name + (":" + variant if variant else "")
        self.dir = world.disk(self.name)
        self.cgroup = Cgroup(world, self.name)
        self.wrap = []      # a command to run it under
        self.kept, self.waiting = None, 0   # a spool with so much in it
        self.main = None

    # ---- what a server gives ----

    def setup(self, mode):
        raise NotImplementedError

    def argv(self):
        raise NotImplementedError

    def queued(self):
        """Messages it is not done with."""
        raise NotImplementedError

    def share(self, mode):
        """The share of a row's messages that it is given, being slow."""
        return self.weight

    def env(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    # ---- helpers ----

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def mkdir(self, name, mode=0o755, user=None, group=None):
        os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.path(name), mode)
        if user:
            shutil.chown(self.path(name), user, group or user)
        return self.path(name)

    def write(self, name, text, mode=0o644, user=None):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        if user:
            shutil.chown(self.path(name), user, user)
        return self.path(name)

    def owners(self):
        return [f"user{i}" for i in range(self.world.owners)]

    def uid(self, owner):
        from world import FIRST_UID
        return FIRST_UID + 5 + int(owner[4:])

    def log_tail(self):
        try:
            with open(self.path("log"), errors="replace") as f:
                return "".join(f.readlines()[-15:])
        except OSError:
            return ""

    # ---- life ----

    def start(self, mode):
        shutil.rmtree(self.dir, ignore_errors=True)
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o755)
        self.setup(mode)
        with open(self.path("log"), "ab") as log:
            self.main = subprocess.Popen(
                self.wrap + self.argv(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=self.env(), preexec_fn=self.cgroup.enter,
                start_new_session=True)
        self._listening()

    def _listening(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.main.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", PORT), 5) as s:
                    if s.recv(100).startswith(b"220"):
                        s.sendall(b"QUIT\r\n")
                        s.recv(100)
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"{self.title} does not answer\n" + self.log_tail())

    def stop(self):
        """SIGTERM to its first process; then all that is left is killed."""
        if self.main is not None and self.main.poll() is None:
            self.main.send_signal(signal.SIGTERM)
            try:
                self.main.wait(60 if self.wrap else 10)
            except subprocess.TimeoutExpired:
                pass
        patience = time.monotonic() + (20 if self.wrap else 0)
        while self.cgroup.pids() and time.monotonic() < patience:
            reap()          # under a tool they still write down its figures
            time.sleep(0.05)
        while self.cgroup.pids():
            for pid in self.cgroup.pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            reap()
            time.sleep(0.01)
        if self.main is not None:
            self.main.wait()
        self.main = None
        shutil.rmtree(self.dir, ignore_errors=True)


def reap():
    """We are this world's init: what lost its parent is ours."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def count_files(*dirs):
    return sum(len(files) for d in dirs for _, _, files in os.walk(d))


def make(spec, world):
    """A server by its name, as "postfix:tuned"."""
    import importlib
    name, _, variant = spec.partition(":")
    return importlib.import_module("peers." + name).Server(world, variant)
