/*
 * verify.c - is this the password of a user of this host?  By PAM (service
 * "facteur") or, built without it, by shadow(5).
 *
 * Runs as root, the only code of authd that does, and only with system_users =
 * yes: a child forked before authd drops, which gets user and password, says
 * yes or no, and is asked one question at a time.  Each answer is found by a
 * process of its own: what a PAM module leaks, breaks or holds ends with it.
 * Way 1 and 8 of 8.  From: auth/question.c, by pool.c.  To: PAM.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_PAM
#include <security/pam_appl.h>
#else
#include <shadow.h>
#endif

#include "hash.h"
#include "log.h"
#include "verify.h"

#define TASK_MAX	8192	/* bytes: a user and a password */
#define ANSWER_S	20	/* seconds a module may take */

#ifdef HAVE_PAM

/* Answers the one question for a password; any other ends the attempt. */
static int
converse(int n, const struct pam_message **m, struct pam_response **out,
    void *password)
{
	struct pam_response *r;

	if (n <= 0 || n > PAM_MAX_NUM_MSG ||
	    (r = calloc((size_t)n, sizeof(*r))) == NULL)
		return PAM_CONV_ERR;
	for (int i = 0; i < n; i++) {
		if (m[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			r[i].resp = strdup(password);
		else if (m[i]->msg_style == PAM_PROMPT_ECHO_ON) {
			for (int j = 0; j < i; j++)
				free(r[j].resp);
			free(r);
			return PAM_CONV_ERR;
		}
	}
	*out = r;
	return PAM_SUCCESS;
}

/* authd has penalties of its own, and holds up nobody else meanwhile. */
static void
no_delay(int status, unsigned usec, void *data)
{
	(void)status;
	(void)usec;
	(void)data;
}

static bool
is_password(const struct passwd *pw, const char *password)
{
	struct pam_conv conv = { converse, (void *)(uintptr_t)password };
	pam_handle_t *h = NULL;
	int r = pam_start("facteur", pw->pw_name, &conv, &h);

	if (r != PAM_SUCCESS)
		return false;
	(void)pam_set_item(h, PAM_FAIL_DELAY, (const void *)no_delay);
	r = pam_authenticate(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (r == PAM_SUCCESS)
		r = pam_acct_mgmt(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	(void)pam_end(h, r);
	return r == PAM_SUCCESS;
}

#else

static bool
is_password(const struct passwd *pw, const char *password)
{
	const struct spwd *sp = getspnam(pw->pw_name);
	const char *hash = sp != NULL ? sp->sp_pwdp : pw->pw_passwd;
	long today = (long)(time(NULL) / 86400);

	if (sp != NULL && sp->sp_expire >= 0 && today >= sp->sp_expire)
		return false;
	/* "", "x", "*" and "!..." are no hashes. */
	return hash[0] == '$' && password_is(hash, password);
}

#endif

bool
verify_password(const char *user, const char *password)
{
	const struct passwd *pw = getpwnam(user);

	/* Nobody reads root's mail, or tries root's password, over the net. */
	return pw != NULL && pw->pw_uid != 0 && *password != '\0' &&
	    is_password(pw, password);
}

/* In a process of its own, and with an end. */
static bool
verify_apart(const char *user, const char *password)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)alarm(ANSWER_S);
		_exit(verify_password(user, password) ? 0 : 1);
	}
	if (pid == -1)
		return false;
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static _Noreturn void
child(int fd)
{
	char task[TASK_MAX + 1];
	const char *password;
	char answer;
	ssize_t n;

	if (fd != 3 && dup2(fd, 3) == -1)
		_exit(EX_OSERR);
	closefrom(4);
	if (chdir("/") == -1 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		_exit(EX_OSERR);
	while ((n = recv(3, task, TASK_MAX, 0)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			_exit(EX_IOERR);
		task[n] = '\0';
		password = memchr(task, '\0', (size_t)n + 1);
		password += password < task + n;
		answer = verify_apart(task, password) ? '1' : '0';
		explicit_bzero(task, sizeof(task));
		if (send(3, &answer, 1, MSG_NOSIGNAL) != 1)
			_exit(EX_IOERR);
	}
	_exit(0);		/* authd has ended */
}

int
verify_start(pid_t *pid_out)
{
	int pair[2], saved;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	*pid_out = fork();
	if (*pid_out == 0)
		child(pair[1]);
	saved = errno;
	(void)close(pair[1]);
	if (*pid_out != -1)
		return pair[0];
	(void)close(pair[0]);
	errno = saved;
	return -1;
}
