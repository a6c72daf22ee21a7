#!/usr/bin/env python3
"""cost.py - where a message's time goes, program by program (bench-profile).

usage: cost.py BUILDDIR [--peers "facteur postfix:virtual"] [--rows ...]
               [--waiting N] [--out FILE]
Four looks at a server that runs in the bench's world, each of its own run:
strace counts system calls and flushes; perf samples the CPU clock and counts
context switches; valgrind (callgrind) counts Facteur's instructions in user
space, with and without messages waiting in the queue.  (Processors of rented
machines rarely tell theirs to perf.)
"""
import argparse, os, re, shutil, signal, subprocess, sys, time
from collections import Counter, defaultdict

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]
sys.dont_write_bytecode = True
import measure, peers, report, rows, world

HEADING = "## Where a message's time goes (`make bench-profile`)"
FLUSHES = ("fsync", "fdatasync", "sync_file_range", "syncfs")
STRACED, SAMPLED, COUNTED = 200, 2000, (100, 400)    # messages
HERTZ = 5000


def program(comm):
    """A name as ps has it; the numbers of kernel threads apart."""
    return re.sub(r"[/:]\d.*", "", comm)


# ---- system calls ----

STRACE = re.compile(r"^\d+<([^>]*)> (\d+\.\d+) (\w+)\(")


def strace(peer, row):
    """{program: Counter of calls}, for STRACED messages."""
    trace = peer.world.path("trace")
    peer.wrap = ["strace", "-f", "-I2", "-qq", "--decode-pids=comm", "-ttt", "-s",
                 "0", "-e", "raw=all", "-e", "signal=none", "-o", trace]
    peer.start(row.mode)
    try:
        measure.warm_up(peer, row)
        since = time.time()
        measure.send(peer, row, STRACED)
        until = time.time()
    finally:
        peer.stop()
        peer.wrap = []
        measure.empty_maildirs(peer.world)
    calls = defaultdict(Counter)
    with open(trace, errors="replace") as f:
        for line in f:
            m = STRACE.match(line)
            if m and since <= float(m[2]) <= until:
                calls[program(m[1])][m[3]] += 1
    os.unlink(trace)
    return calls


def syscall_table(peer, row, calls):
    out = [f"System calls of {peer.title}, {row.words()} (strace, "
           f"{STRACED} messages):", "",
           report.line(["program", "calls", "flushes", "most"]),
           report.line(["---"] * 4)]
    total = Counter()
    for name, c in sorted(calls.items(), key=lambda i: -i[1].total()):
        total += c
        out.append(syscall_line(name, c, 8))
    return "\n".join(out + [syscall_line("all", total, 12)]) + "\n"


def syscall_line(name, calls, most):
    flushes = sum(calls[f] for f in FLUSHES)
    words = ", ".join(f"{c} {n / STRACED:.1f}"
                      for c, n in calls.most_common(most) if n >= STRACED / 10)
    return report.line([name, f"{calls.total() / STRACED:.1f}",
                        f"{flushes / STRACED:.2f}", words])


# ---- CPU clock and context switches ----

def perf(peer, row):
    """(seconds of CPU, {program: [samples, of them kernel, switches]},
    Counter of hot symbols); None without perf."""
    data = peer.world.path("perf.data")
    peer.start(row.mode)
    recorder = None
    try:
        measure.warm_up(peer, row)
        group = peer.cgroup.perf
        recorder = subprocess.Popen(
            ["perf", "record", "-q", "-a", "-o", data,
             "-e", "cpu-clock/freq=%d/" % HERTZ, "-G", group,
             "-e", "context-switches/period=1/", "-G", group],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_for_file(data, recorder)
        cpu = peer.cgroup.cpu()
        measure.send(peer, row, SAMPLED)
        cpu = peer.cgroup.cpu() - cpu
    finally:
        if recorder is not None:
            recorder.send_signal(signal.SIGINT)
            said = recorder.communicate()[0]
        peer.stop()
        measure.empty_maildirs(peer.world)
    if recorder.returncode not in (0, -signal.SIGINT):
        raise RuntimeError("perf record: " + said.strip())
    return cpu, *samples(data)


def wait_for_file(path, process):
    while not (os.path.exists(path) and os.path.getsize(path) > 0):
        if process.poll() is not None:
            raise RuntimeError(process.communicate()[0])
        time.sleep(0.02)


def samples(data):
    script = subprocess.run(
        ["perf", "script", "-i", data, "-F", "comm,event,ip,sym"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        errors="replace").stdout
    os.unlink(data)
    seen, hot = defaultdict(lambda: [0, 0, 0]), Counter()
    for line in script.splitlines():
        m = re.match(r"\s*(.+?)\s+([\w-]+)[/\w=]*:[\w]*:?\s+([0-9a-f]+)\s+(.*)",
                     line)
        if m is None:
            continue
        name = program(m[1])
        if m[2].startswith("context"):
            seen[name][2] += 1
            continue
        seen[name][0] += 1
        seen[name][1] += m[3].startswith("ffff")
        hot[name, m[4]] += 1
    return seen, hot


def perf_table(peer, row, figures):
    cpu, seen, hot = figures
    total = sum(s[0] for s in seen.values()) or 1
    each = cpu * 1e6 / SAMPLED
    out = [f"CPU of {peer.title}, {row.words()} (perf, {SAMPLED} messages):",
           "", report.line(["program", "us a message", "of it kernel",
                            "switches a message"]),
           report.line(["---"] * 4)]
    lines = sorted(seen.items(), key=lambda i: -i[1][0])
    lines.append(("all", [sum(s[i] for s in seen.values())
                          for i in range(3)]))
    for name, (n, kernel, switches) in lines:
        out.append(report.line([
            name, f"{n / total * each:.0f}",
            f"{100 * kernel / n:.0f} %" if n else "",
            f"{switches / SAMPLED:.2f}"]))
    top = ", ".join(f"{name} {sym} {100 * n / total:.1f} %"
                    for (name, sym), n in hot.most_common(25))
    return "\n".join(out) + f"\n\nHottest: {top}\n"


# ---- instructions ----

def callgrind(peer, row, waiting=0):
    """{program: instructions a message}: the difference of two runs, in which
    what is done once for all messages goes away."""
    few, many = (counted(peer, row, n, waiting) for n in COUNTED)
    return Counter({name: (many[name] - few[name]) / (COUNTED[1] - COUNTED[0])
                    for name in many})


def counted(peer, row, messages, waiting):
    """{program: instructions}, from the first of these messages on."""
    store = peer.world.path("callgrind")
    prefix = store + "/vgdb"
    os.mkdir(store)
    peer.wrap = ["valgrind", "-q", "--tool=callgrind", "--trace-children=yes",
                 "--instr-atstart=no", "--vgdb-poll=50",
                 "--vgdb-prefix=" + prefix,
                 f"--callgrind-out-file={store}/out.%p"]
    try:
        if waiting:
            fill(peer, waiting)
        peer.world.own_homes(0)
        peer.start(row.mode)
        measure.warm_up(peer, row)
        at_rest(peer)
        instrument(peer, row, prefix)
        measure.send(peer, row, messages)
    finally:
        peer.stop()
        peer.wrap, peer.kept, peer.waiting = [], None, 0
        peer.world.own_homes()
        measure.empty_maildirs(peer.world)
    return totals(store)


def totals(store):
    found = Counter()
    for name in os.listdir(store):
        if not name.startswith("out."):
            continue
        with open(f"{store}/{name}") as f:
            text = f.read()
        words = re.search(r"^cmd: *(\S+)", text, re.M)
        total = re.search(r"^totals: *(\d+)", text, re.M)
        if words and total:
            found[os.path.basename(words[1])] += int(total[1])
    shutil.rmtree(store)
    return found


def fill(peer, waiting):
    """A spool with that many deferred messages, for its next start."""
    peer.kept, peer.waiting = peer.world.disk("waiting"), waiting
    queue = peer.kept + "/queue"
    os.makedirs(queue, exist_ok=True)
    if not os.listdir(queue):
        world.run(peer.world.path("tree/tests/fill_queue"), queue,
                  str(waiting))
    os.chmod(peer.kept, 0o700)
    os.chmod(queue, 0o700)


def at_rest(peer):
    """Until it has looked at what waits: its CPU time stands still."""
    last = -1
    while (cpu := peer.cgroup.cpu()) - last > 0.02:
        last = cpu
        time.sleep(0.5)


def instrument(peer, row, prefix):
    """From here on its instructions count.  A process is told when it next
    runs: to wake it, vgdb would break off its ppoll() with an error that no
    program knows."""
    pids = re.findall(r"-to-(\d+)-by-", " ".join(
        os.listdir(os.path.dirname(prefix))))
    asked = [subprocess.Popen(["vgdb", "--max-invoke-ms=0", "--vgdb-prefix=" +
                               prefix, "--pid=" + pid, "instrumentation", "on"],
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) for pid in pids]
    measure.send(peer, row, COUNTED[0])
    for p in asked:
        p.kill()            # who has not run since does not count
        p.wait()


def instruction_table(row, columns):
    """columns: [(head, {program: instructions})]"""
    names = sorted({n for _, c in columns for n, v in c.items() if v >= 100},
                   key=lambda n: -columns[0][1].get(n, 0))
    out = [f"Instructions in user space, {row.words()} (callgrind; one uid, "
           "no sandbox):", "",
           report.line(["program"] + [head for head, _ in columns]),
           report.line(["---"] * (len(columns) + 1))]
    for name in names:
        out.append(report.line([name] + [
            f"{c.get(name, 0):,.0f}" for _, c in columns]))
    out.append(report.line(["all"] + [
        f"{sum(c.values()):,.0f}" for _, c in columns]))
    return "\n".join(out) + "\n"


# ---- all of it ----

def attempt(what, make):
    """A look that this machine does not allow is skipped, with a line."""
    try:
        return make()
    except (RuntimeError, OSError, subprocess.SubprocessError) as e:
        return f"{what}: skipped: {str(e).strip().splitlines()[0]}\n"


def instructions(w, row, waiting):
    peer = peers.make("facteur:plain", w)
    columns = [("nothing waits", callgrind(peer, row))]
    if waiting and row.mode == "local":
        columns.append((f"{waiting:,} wait", callgrind(peer, row, waiting)))
    return instruction_table(row, columns)


def parts(w, args):
    yield (f"{time.strftime('%Y-%m-%d %H:%M')} UTC, {report.machine()}. "
           "Each figure is for one message, without the load generator.\n")
    for row in args.rows:
        for spec in args.peers:
            peer = peers.make(spec, w)
            if not row.takes(peer):
                continue
            yield f"### {row.name}: {spec}\n"
            yield attempt("perf", lambda: perf_table(peer, row,
                                                     perf(peer, row)))
            yield attempt("strace", lambda: syscall_table(
                peer, row, strace(peer, row)))
            # A forked child's count goes on from its parent's: only where
            # sessions last are the sums right.  Valgrind wants all of one uid.
            if spec == "facteur" and not row.per_conn:
                yield attempt("callgrind", lambda: instructions(
                    w, row, args.waiting))


def inside(w, args):
    text = ""
    for part in parts(w, args):
        print(part, flush=True)
        text += part + "\n"
    if args.out:
        report.into(args.out, HEADING, text)
    return 0


def options():
    ap = argparse.ArgumentParser(description=__doc__)
    world.add_options(ap)
    ap.add_argument("--rows", default="kept4 fresh4 relay4")
    ap.add_argument("--peers", default="facteur postfix:virtual")
    ap.add_argument("--waiting", type=int, default=100_000)
    args = ap.parse_args()
    args.rows = [rows.Row(r) for r in args.rows.split()]
    args.peers = args.peers.split()
    args.out = args.out and os.path.abspath(args.out)
    return args


def main():
    args = options()
    others = any(p != "facteur" for p in args.peers)
    try:
        world.check(others)
        lacking = [t for t in ("strace", "perf", "valgrind", "vgdb")
                   if shutil.which(t) is None]
        if lacking:
            raise world.Refused("is not installed: " + ", ".join(lacking))
        w = world.World(args, others)
        return w.enter(lambda inner: inside(inner, args))
    except world.Refused as e:
        print(f"bench-profile: {e}", file=sys.stderr)
        return 69
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
