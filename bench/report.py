"""report.py - the runs as tables in Markdown, and their place in RESULTS.md."""
import os, re, statistics, time

HEADING = "## Beside the others (`make bench`)"
COLUMNS = [         # of the rows that carry mail: key, title
    ("accept", "accepted/s"), ("through", "through/s"), ("cpu_ms", "CPU ms"),
    ("dot_p50", "dot p50 ms"), ("dot_p99", "p99"),
    ("memory_mb", "peak MB")]
OF_KIND = {
    "slow": [("full", "95 busy after s"), ("max_conns", "connections")],
    "relay": [("conns", "connections")],
    "rate": [("msg_p50", "due to 250 p50 ms"), ("msg_p99", "p99")],
}
IDLE = [("kb", "KB a session"), ("base_mb", "before, MB"),
        ("processes", "processes a session"), ("seconds", "opened in s")]


def number(x):
    if x is None:
        return "never"
    return f"{x:.0f}" if abs(x) >= 100 else \
        f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def median(runs, key):
    values = [r[key] for r in runs if r.get(key) is not None]
    return statistics.median(values) if values else None


def better(row):
    """The figure that decides, and whether more of it is better."""
    return {"idle": ("kb", False), "rate": ("msg_p50", False)}.get(
        row.kind, ("through", True))


def best_postfix(row, runs):
    key, more = better(row)
    have = {t: median(r, key) for t, r in runs.items()
            if t.startswith("postfix") and median(r, key) is not None}
    return (max if more else min)(have, key=have.get) if have else None


def ratio(row, runs, title, key, to):
    """Median and spread of the ratios of runs in the same round."""
    pairs = [a[key] / b[key] for a, b in zip(runs[title], runs[to])
             if a.get(key) and b.get(key)]
    if not pairs:
        return "-"
    return f"{statistics.median(pairs):.2f} ({min(pairs):.2f}..{max(pairs):.2f})"


def line(cells):
    return "| " + " | ".join(cells) + " |"


def table(row, runs):
    columns = IDLE if row.kind == "idle" else \
        COLUMNS + OF_KIND.get(row.kind, [])
    best = best_postfix(row, runs)
    head = [t for _, t in columns] + ([f"against {best}"] if best else [])
    out = [f"### {row.name}: {row.words()}", "", line([""] + head),
           line(["---"] * (len(head) + 1))]
    for title, rs in runs.items():
        cells = [title]
        for key, _ in columns:
            known = any(key in r for r in rs)
            cells.append(number(median(rs, key)) if known else "")
        if best:
            cells.append(ratio(row, runs, title, better(row)[0], best))
        if not all(r["complete"] for r in rs):
            cells[0] += " (incomplete)"
        out.append(line(cells))
    return "\n".join(out + notes(row, runs, best)) + "\n"


NOTES = {           # ratios told below a table: words, key
    "rate": [("p99 of due to 250", "msg_p99"), ("dot p50", "dot_p50"),
             ("dot p99", "dot_p99"), ("CPU a message", "cpu_ms")],
    "slow": [("Peak memory", "memory_mb"), ("CPU a message", "cpu_ms")],
    "idle": []}


def notes(row, runs, best):
    out = []
    if best and "facteur" in runs:
        for words, key in NOTES.get(row.kind, [("CPU a message", "cpu_ms")]):
            out.append(f"{words}, Facteur against {best}: " +
                       ratio(row, runs, "facteur", key, best))
    for raw, words in (("raw", "with a queue"), ("raw:direct", "without")):
        if raw in runs and "facteur" in runs:
            out.append(f"Facteur's share of the raw limit, {words}: " +
                       ratio(row, runs, "facteur", "through", raw))
    troubles = sorted({f"{t}: {r['trouble']}" for t, rs in runs.items()
                       for r in rs if r.get("trouble")})
    return [""] + [t + "  " for t in out + troubles[:4]] if out or troubles \
        else []


def cpu_model():
    with open("/proc/cpuinfo") as f:
        m = re.search(r"^model name\s*: (.*)$", f.read(), re.M)
    return m[1] if m else "unknown CPU"


def machine():
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (f"{os.cpu_count()} cores ({cpu_model()}), {pages >> 30} GB, "
            f"Linux {os.uname().release}")


def preface(world, rounds):
    versions = ""
    if world.peers:
        with open(world.peers + "/versions") as f:
            versions = "; " + ", ".join(f.read().splitlines())
    return (f"{time.strftime('%Y-%m-%d %H:%M')} UTC, {machine()}{versions}.\n"
            f"Medians of {rounds} rounds, all servers in turn in each; ratios "
            f"are of runs of the same round: median (lowest..highest).\n"
            f"{world.owners} owners. through/s: until the last message is in "
            f"its Maildir, or at the sink. CPU: of the server's processes, a "
            f"message.\ndot: final dot to its 250. Load generator, server, "
            f"disk and sink share the machine. OpenSMTPD says 250 before it "
            f"has flushed.\n")


def into(path, heading, text):
    """Writes that section of that file; the others stay as they are."""
    try:
        with open(path) as f:
            old = f.read()
    except FileNotFoundError:
        old = "# Figures\n"
    section = heading + "\n" + text.rstrip() + "\n"
    pattern = re.escape(heading) + r"\n.*?(?=^## |\Z)"
    if re.search(pattern, old, re.M | re.S):
        new = re.sub(pattern, lambda _: section + "\n", old, count=1,
                     flags=re.M | re.S)
    else:
        new = old.rstrip() + "\n\n" + section
    with open(path, "w") as f:
        f.write(new.rstrip() + "\n")
