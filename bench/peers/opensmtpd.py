"""OpenSMTPD from Debian's package.  It answers 250 before anything is flushed
(queue_fs.c): its figures are not of the same promise.  Its own pace to one
relay host is a few messages a second; the limits are lifted."""
import peers

NO_PACE = ("mta limit conn-delay-route 0 conn-delay-relay 0 "
           "session-mail-max 100000 max-conn-per-host 100 "
           "max-conn-per-route 100 max-conn-per-connector 100")


class Server(peers.Peer):
    name = "opensmtpd"
    pipelining = False      # offers none
    tls = False             # Debian 12's fails with OpenSSL 3: "EVP lib"

    def setup(self, mode):
        spool = "../spool/smtpd"        # /var/spool/smtpd, compiled in
        self.mkdir(spool, 0o711, "root", "root")
        for d, mode_, user, group in (
                ("queue", 0o700, "opensmtpq", "root"),
                ("corrupt", 0o700, "opensmtpq", "root"),
                ("incoming", 0o700, "opensmtpq", "root"),
                ("purge", 0o700, "opensmtpq", "root"),
                ("offline", 0o770, "root", "opensmtpq")):
            self.mkdir(f"{spool}/{d}", mode_, user, group)
        peers.os.makedirs("/var/lib/opensmtpd/empty", exist_ok=True)
        local = mode in ("local", "idle")
        action = "maildir" if local else \
            f"relay host smtp://127.0.0.1:{peers.SINK}"
        whom = f"for domain {peers.DOMAIN}" if local else "for any"
        self.write("smtpd.conf", f"""listen on 127.0.0.1 port {peers.PORT}
smtp limit max-mails 1000000
{"" if local else NO_PACE}
action "out" {action}
match from any {whom} action "out"
""")

    def share(self, mode):
        return 0.4 if mode in ("local", "idle") else 0.1

    def argv(self):
        return ["/usr/sbin/smtpd", "-d", "-f", self.path("smtpd.conf")]

    def queued(self):
        return peers.count_files("/var/spool/smtpd/queue",
                                 "/var/spool/smtpd/incoming")
