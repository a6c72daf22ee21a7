"""measure.py - one server, one row, once: the figures of that run."""
import json, os, signal, subprocess, threading, time

import peers

TIMEOUT = 60            # seconds for a run; then it is called incomplete


class Sampler(threading.Thread):
    """The most private memory of a cgroup, looked at each 100 ms."""

    def __init__(self, cgroup):
        super().__init__(daemon=True)
        self.cgroup, self.peak, self.over = cgroup, 0, threading.Event()

    def run(self):
        while True:
            self.peak = max(self.peak, self.cgroup.memory())
            if self.over.wait(0.1):
                return


def tool(world, name, *args, **kw):
    """Starts one of our tools; those that say "ready" are."""
    p = subprocess.Popen([world.path("tree/bench", name), *map(str, args)],
                         stdout=subprocess.PIPE, text=True, **kw)
    if name in ("sink", "arrivals"):
        if p.stdout.readline() != "ready\n":
            raise RuntimeError(f"{name} did not start")
    return p


def result(p, timeout):
    """What a tool tells at its end; SIGTERM makes it tell earlier."""
    try:
        out, _ = p.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        p.send_signal(signal.SIGTERM)
        out, _ = p.communicate()
    return json.loads(out)


def wait_queue(peer, deadline):
    """Until the server has put everything away; what is left."""
    while (left := peer.queued()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def empty_maildirs(world):
    for d in world.maildirs():
        for sub in ("new", "cur", "tmp"):
            with os.scandir(f"{d}/{sub}") as entries:
                for e in entries:
                    os.unlink(e.path)


def load_args(peer, row, n):
    args = ["-p", peers.PORT, "-s", row.sessions, "-n", n, "-l", row.size,
            "-k", row.per_conn, "-u", peer.world.owners, "-m", row.rcpts]
    if row.rate:
        args += ["-r", row.rate]
    return args + (["-T"] if row.tls else []) + \
        (["-P"] if row.rcpts > 1 and peer.pipelining else [])


def send(peer, row, n):
    """Sends n messages and waits for their end; both ends' figures."""
    world = peer.world
    copies = n * row.rcpts
    deadline = time.monotonic() + TIMEOUT
    if row.mode in ("relay", "slow"):
        slow = ["-w", 1000, "-c", 100] if row.mode == "slow" else []
        far = tool(world, "sink", "-p", peers.SINK, "-n", copies, *slow)
    else:
        far = tool(world, "arrivals", copies,
                   *(d + "/new" for d in world.maildirs()))
    try:
        near = result(tool(world, "load", *load_args(peer, row, n)),
                      TIMEOUT)
        end = result(far, max(1, deadline - time.monotonic()))
    except BaseException:
        far.kill()
        raise
    end["left"] = wait_queue(peer, deadline)
    return near, end


def warm_up(peer, row):
    """Its processes are there, its files read: one message for each session
    and, where that is quick, each owner."""
    warm = type(row)(f"fresh{min(row.sessions, 50)}" + "-tls" * row.tls)
    warm.mode = row.mode if row.mode != "slow" else "relay"
    send(peer, warm, max(int(peer.world.owners * peer.share(warm.mode)),
                         warm.sessions))


def figures(row, near, end, n):
    copies = n * row.rcpts
    seconds = end["last"] - near["start"]
    got = end.get("got", end.get("received"))
    r = {"messages": n, "sent": near["sent"], "got": got, "left": end["left"],
         "retries": near["retries"], "trouble": near["trouble"],
         "complete": near["sent"] == n and got == copies and not end["left"],
         "accept": near["sent"] / max(near["end"] - near["start"], 1e-9),
         "through": got / row.rcpts / seconds if got else 0}
    for k in ("dot_p50", "dot_p99", "msg_p50", "msg_p99"):
        r[k] = near[k]
    if "conns" in end:
        r.update(conns=end["conns"], max_conns=end["max_conns"],
                 full=end["full"] - near["start"] if end["full"] > 0 else None)
    return r


def server(peer, row, scale):
    """Starts it, warms it up, measures, and stops it."""
    n = row.messages(peer.share(row.mode), scale)
    peer.start(row.mode)
    sampler = Sampler(peer.cgroup)
    try:
        warm_up(peer, row)
        os.sync()
        sampler.start()
        cpu = peer.cgroup.cpu()
        near, end = send(peer, row, n)
        cpu = peer.cgroup.cpu() - cpu
    finally:
        if sampler.is_alive():
            sampler.over.set()
            sampler.join()
        if os.environ.get("BENCH_LOGS"):
            print(peer.log_tail())
        peer.stop()
        empty_maildirs(peer.world)
    return dict(figures(row, near, end, n), cpu_ms=cpu * 1e3 / n,
                memory_mb=sampler.peak / 1e6)


def steady(cgroup):
    """Private memory, once it stands still (or moves too long)."""
    last = -1
    for _ in range(50):
        now = cgroup.memory()
        if abs(now - last) < 65536:
            break
        last = now
        time.sleep(0.2)
    return now


def idle(peer, row, _scale):
    peer.start(row.mode)
    try:
        before, processes = steady(peer.cgroup), len(peer.cgroup.pids())
        start = time.monotonic()
        load = tool(peer.world, "load", "-p", peers.PORT, "-s", row.sessions,
                    "-i", *(["-T"] if row.tls else []), stdin=subprocess.PIPE)
        said = json.loads(load.stdout.readline())
        seconds = time.monotonic() - start
        after = steady(peer.cgroup)
        processes = len(peer.cgroup.pids()) - processes
        load.stdin.close()
        load.wait()
    finally:
        peer.stop()
    n = max(said["idle"], 1)
    return {"complete": said["idle"] == row.sessions, "idle": said["idle"],
            "kb": (after - before) / 1024 / n, "base_mb": before / 1e6,
            "processes": processes / n, "seconds": seconds,
            "trouble": said["trouble"]}


RAW = ("raw", "raw:direct")


class Raw:
    """Not a server: the same durable files, by tools/raw.c; "raw": through a
    queue, "raw:direct": into the Maildir alone."""
    weight, tls = 1.0, True

    def __init__(self, title, world):
        from world import Cgroup
        self.title = title
        self.options = ["-d"] if title == "raw:direct" else []
        self.world = world
        self.cgroup = Cgroup(world, "raw")

    def measure(self, row, scale):
        n = row.messages(self.weight, scale)
        queue = self.world.disk("rawqueue")
        os.makedirs(queue, exist_ok=True)
        os.sync()
        cpu = self.cgroup.cpu()
        p = tool(self.world, "raw", *self.options, "-p", row.sessions, "-n", n,
                 "-l", row.size, queue, *self.world.maildirs(),
                 preexec_fn=self.cgroup.enter)
        said = result(p, TIMEOUT)
        cpu = self.cgroup.cpu() - cpu
        empty_maildirs(self.world)
        return {"complete": p.returncode == 0, "messages": said["messages"],
                "through": said["messages"] / said["seconds"],
                "cpu_ms": cpu * 1e3 / said["messages"]}


def once(peer, row, scale):
    if isinstance(peer, Raw):
        return peer.measure(row, scale)
    return (idle if row.kind == "idle" else server)(peer, row, scale)
