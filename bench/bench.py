#!/usr/bin/env python3
"""bench.py - Facteur beside the other mail servers: see bench/README.md.

usage: bench.py BUILDDIR [--rows "kept10 fresh10"] [--peers "facteur postfix"]
                [--runs N] [--owners N] [--scale X] [--out FILE]
"""
import argparse, json, os, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]
sys.dont_write_bytecode = True
import measure, peers, report, rows, world


def options():
    ap = argparse.ArgumentParser(description=rows.__doc__,
                                 formatter_class=argparse.RawTextHelpFormatter)
    world.add_options(ap)
    ap.add_argument("--rows", default=rows.DEFAULT)
    ap.add_argument("--peers", default=rows.PEERS)
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--scale", type=float, default=1,
                    help="so many times the messages")
    args = ap.parse_args()
    try:
        args.rows = [rows.Row(r) for r in args.rows.split()]
    except ValueError as e:
        ap.error(str(e))
    args.peers = args.peers.split()
    for p in args.peers:
        if p not in rows.PEERS.split():
            ap.error(f"no server is called {p}; there are: {rows.PEERS}")
    return args


def one_row(row, servers, args, log):
    """All servers in turn, round after round; {title: [run, ...]}."""
    runs = {p.title: [] for p in servers if row.takes(p)}
    for i in range(args.runs):
        for p in servers:
            if p.title not in runs:
                continue
            try:
                r = measure.once(p, row, args.scale)
            except (RuntimeError, OSError, ValueError) as e:
                r = {"complete": False, "trouble": str(e)}
            runs[p.title].append(r)
            log.write(json.dumps(dict(row=row.name, peer=p.title, round=i,
                                      at=int(time.time()), **r)) + "\n")
            log.flush()
    return runs


def inside(w, args):
    """In our world: all rows.  0, or 1 if Facteur left something undone."""
    servers = [measure.Raw(p, w) if p in measure.RAW else peers.make(p, w)
               for p in args.peers]
    text, bad = report.preface(w, args.runs), False
    print(text, flush=True)
    with open(w.store + "/runs.jsonl", "a") as log:
        for row in args.rows:
            runs = one_row(row, servers, args, log)
            bad |= not all(r["complete"] for r in runs.get("facteur", ()))
            part = report.table(row, runs)
            print(part, flush=True)
            text += "\n" + part
    with open(w.store + "/tables.md", "w") as f:
        f.write(text)
    if args.out:
        report.into(args.out, report.HEADING, text)
    return int(bad)


def main():
    args = options()
    others = any(p not in ("facteur", *measure.RAW) for p in args.peers)
    args.out = args.out and os.path.abspath(args.out)
    try:
        world.check(others)
        w = world.World(args, others)
        return w.enter(lambda inner: inside(inner, args))
    except world.Refused as e:
        print(f"bench: {e}", file=sys.stderr)
        return 69
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
