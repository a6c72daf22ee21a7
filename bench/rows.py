"""rows.py - what is measured: the rows of `make bench`, by name.

  kept10, fresh50     10 sessions kept open; 50 with one message each connection
    -tls -100k        with STARTTLS; messages of 100 kB
  relay10             10 sessions kept open, all to a fast sink
  slow10              to a sink that answers after 1 s, 100 connections allowed
  many10              one message to 100 recipients, 10 sessions kept open
  rate300             300 messages a second offered, over 50 kept open sessions
  idle500             so many sessions that do nothing (-tls)
"""
import re

DEFAULT = ("kept1 kept10 kept50 kept200 fresh1 fresh10 fresh50 fresh200 "
           "kept10-100k fresh10-100k kept10-tls fresh10-tls fresh50-tls "
           "relay10 slow10 many10 rate100 rate300 idle500 idle500-tls")
PEERS = ("facteur raw raw:direct postfix postfix:tuned postfix:virtual "
         "opensmtpd exim")
RATE_S = 8              # so long a rate is offered
MESSAGES = {"kept": 3000, "fresh": 2000, "relay": 3000, "slow": 1000,
            "many": 60}
WORDS = {"kept": "to Maildirs, {n} session{s}, kept open",
         "fresh": "to Maildirs, {n} session{s}, one message each connection",
         "relay": "to a fast sink, {n} sessions, kept open",
         "slow": "to a sink that takes 1 s, 100 connections allowed",
         "many": "one message to 100 recipients, {n} sessions, kept open",
         "rate": "to Maildirs, {n} messages a second offered",
         "idle": "{n} idle sessions"}


class Row:
    def __init__(self, name):
        m = re.fullmatch(r"(kept|fresh|relay|slow|many|rate|idle)(\d+)"
                         r"((?:-tls|-100k)*)", name)
        if m is None or int(m[2]) == 0:
            raise ValueError(f"no row is called {name}")
        self.name, self.kind, self.number = name, m[1], int(m[2])
        self.tls = "-tls" in m[3]
        self.size = 100_000 if "-100k" in m[3] else 4096
        self.rate = self.number if self.kind == "rate" else 0
        self.sessions = 50 if self.rate else self.number
        self.per_conn = 1 if self.kind == "fresh" else 0
        self.rcpts = 100 if self.kind == "many" else 1
        self.mode = {"relay": "relay", "slow": "slow",
                     "idle": "idle"}.get(self.kind, "local")

    def words(self):
        text = WORDS[self.kind].format(n=self.number,
                                       s="" if self.number == 1 else "s")
        return text + (", STARTTLS" if self.tls else "") + \
            (", 100 kB" if self.size > 4096 else "")

    def messages(self, weight, scale):
        if self.rate:
            return max(1, int(self.rate * RATE_S * min(scale, 1)))
        n = MESSAGES[self.kind] * weight * scale
        if self.sessions == 1:
            n /= 4
        if self.size > 4096:
            n /= 4
        if self.tls:
            n /= 2
        return max(int(n), self.sessions, 10)

    def takes(self, peer):
        """Whether this row is for this server."""
        title = peer.title
        if title in ("raw", "raw:direct"):
            return self.kind == "kept" and not self.tls
        if self.mode == "slow" and title == "opensmtpd":
            return False            # see peers/opensmtpd.py: it is paced
        if self.rate > peer.most:
            return False
        if title == "postfix:virtual":
            return self.mode == "local"     # else the same as tuned
        if self.mode == "idle" and ":" in title:
            return False
        return peer.tls or not self.tls
