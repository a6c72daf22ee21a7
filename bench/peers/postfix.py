"""Postfix from Debian's package.  Variants: "" (its defaults), "tuned"
(generous limits), "virtual" (tuned, and virtual(8) instead of local(8), with
the same uids)."""
import peers

TUNED = """default_process_limit = 200
in_flow_delay = 0
initial_destination_concurrency = 20
default_destination_concurrency_limit = 100
local_destination_concurrency_limit = 20
virtual_destination_concurrency_limit = 20
qmgr_message_active_limit = 50000
"""
SERVICES = """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Server(peers.Peer):
    name = "postfix"

    def setup(self, mode):
        self._directories()
        local = mode in ("local", "idle")
        virtual = self.variant == "virtual"
        text = f"""compatibility_level = 3.6
queue_directory = {self.path("queue")}
data_directory = {self.path("data")}
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
shlib_directory = /usr/lib/postfix
meta_directory = {self.world.peers}/etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {self.path("log")}
maillog_file_prefixes = {self.world.top}
myhostname = mail.{peers.DOMAIN}
mydestination = {peers.DOMAIN if local and not virtual else ""}
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
alias_maps =
alias_database =
home_mailbox = Maildir/
biff = no
relayhost = {"" if local else f"[127.0.0.1]:{peers.SINK}"}
smtpd_tls_cert_file = {self.world.path("cert.pem")}
smtpd_tls_key_file = {self.world.path("key.pem")}
smtpd_tls_security_level = may
smtp_tls_security_level = none
"""
        if virtual:
            text += self._virtual()
        if self.variant:
            text += TUNED
        if mode == "idle":
            text += ("default_process_limit = 1000\n"
                     "smtpd_client_connection_count_limit = 0\n")
        self.write("conf/main.cf", text)
        self.write("conf/master.cf",
                   f"127.0.0.1:{peers.PORT} inet n - n - - smtpd" + SERVICES)

    def _directories(self):
        self.mkdir("conf")
        self.mkdir("queue")
        for d in ("active bounce corrupt defer deferred flush hold incoming "
                  "private saved trace").split():
            self.mkdir("queue/" + d, 0o700, "postfix")
        self.mkdir("queue/pid")
        self.mkdir("queue/maildrop", 0o730, "postfix", "postdrop")
        self.mkdir("queue/public", 0o710, "postfix", "postdrop")
        self.mkdir("data", 0o700, "postfix")

    def _virtual(self):
        def table(name, value):
            self.write(name, "".join(f"{u}@{peers.DOMAIN} {value(u)}\n"
                                     for u in self.owners()))
            return "texthash:" + self.path(name)
        return f"""virtual_mailbox_domains = {peers.DOMAIN}
virtual_mailbox_base = {self.world.disk("home")}
virtual_mailbox_maps = {table("boxes", lambda u: u + "/Maildir/")}
virtual_uid_maps = {table("uids", self.uid)}
virtual_gid_maps = {table("gids", self.uid)}
"""

    def argv(self):
        return ["/usr/lib/postfix/sbin/master", "-c", self.path("conf"), "-d"]

    def env(self):
        return dict(super().env(), MAIL_CONFIG=self.path("conf"))

    def queued(self):
        return peers.count_files(*(self.path("queue", d) for d in (
            "maildrop", "incoming", "active", "deferred")))
