"""Facteur as root runs it: a uid for each program and each mailbox, all walls
and sandboxes.  Defaults, but for what a row names.  Variant "plain" is for
valgrind, which needs what the walls forbid: one uid, no sandbox (cost.py)."""
import peers


class Server(peers.Peer):
    name = "facteur"

    def setup(self, mode):
        self.mkdir("conf")
        top = self.world.path
        relay = mode in ("relay", "slow")
        lines = {
            "hostname": "mail." + peers.DOMAIN,
            "domains": "mail." + peers.DOMAIN if relay else peers.DOMAIN,
            "listen_smtp": f"127.0.0.1:{peers.PORT}",
            "listen_submission": "none", "listen_submissions": "none",
            "listen_pop3": "none", "listen_pop3s": "none",
            "spool": self.spool(), "mail": self.path("mail"),
            "run": self.world.path("run/facteur"),
            "resolver": "127.0.0.1:9",
            "tls_cert": top("cert.pem"), "tls_key": top("key.pem"),
        }
        if relay:
            lines.update(trusted="127.0.0.0/8",
                         relay_host=f"127.0.0.1:{peers.SINK}")
        if mode == "slow":
            lines.update(site_concurrency="100")
        if mode == "idle":
            lines.update(connections="1000")
        self.write("conf/facteur.conf", "".join(
            f"{k} = {v}\n" for k, v in lines.items()))
        self.write("conf/users", "".join(
            f"{u}@{peers.DOMAIN}:*:{self.uid(u)}:{self.uid(u)}::"
            f"{self.world.disk('home', u)}\n" for u in self.owners()),
            0o640, "root" if self.variant else "facteur-auth")

    def argv(self):
        tree = "tree/bench/plain" if self.variant else "tree"
        return [self.world.path(tree, "bin/facteur"), "-C", self.path("conf"),
                "run"]

    def env(self):
        single = {"FACTEUR_SINGLE_UID": "1"} if self.variant else {}
        return dict(super().env(), **single)

    def spool(self):
        return self.kept or self.path("spool")

    def queued(self):
        return peers.count_files(self.spool() + "/queue") - self.waiting
