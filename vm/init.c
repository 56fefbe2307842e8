// SPDX-License-Identifier: GPL-2.0
/*
 * Process 1 of the test VM.  It runs the lines of /plan one after another and
 * reports each as TAP on the virtio serial port "holdfast.result"; the console
 * is left to the kernel, so that a splat and a result never mix.
 *
 *   plan:   # kernel <release> <build ID>
 *           <seq> <race> <column> <iter> <timeout> <env|-> <program> [args...]
 *
 * A line that begins with # is for the judge: it compares the kernel that was
 * planned with the one that runs, which process 1 says in both places.  Marks
 * go to the console through /dev/kmsg, as records of the kernel's own: each is
 * a whole line there, in its order with what the kernel says.  A program without
 * a slash is found in /t; the name "kunit" stands for the results that the
 * kernel's KUnit suites left in debugfs at boot.  Without a plan there is a
 * shell on the console, if the image has one.
 *
 * HOLDFAST_SWAP in the environment names a block device that becomes swap.
 *
 * No process that a test leaves behind reaches the next one: process 1 kills every
 * other process after each line.  A task that outlives SIGKILL is itself a
 * finding, so the run stops there, and the missing results count as errors.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT_NAME	"holdfast.result"
#define LINE_MAX_OUT	1024		/* longer lines of a test are cut */
#define TEST_MAX_OUT	(1 << 20)	/* and so is what it prints after that */
#define REAP_SECONDS	30

struct run {
	char *seq, *race, *column, *iter, *env, *program;
	char *argv[32];
	int timeout;
};

/* What a test printed, cut into lines on its way to the port. */
struct lines {
	char line[LINE_MAX_OUT];
	size_t len;
	size_t total;
	bool cut;
	char skip[128];			/* the reason of its last "# SKIP" */
};

static int port = -1;

static void __attribute__((noreturn)) finish(void)
{
	sync();
	/*
	 * A reset and not a power-off, which needs ACPI on a PC: with -no-reboot
	 * QEMU exits on it, on every architecture.
	 */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void __attribute__((noreturn, format(printf, 1, 2))) fatal(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "holdfast-init: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	finish();
}

static void put(const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(port, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			fatal("cannot write results: %s", strerror(errno));
		buf += n;
		len -= n;
	}
}

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	char buf[2 * LINE_MAX_OUT];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	put(buf, len < (int)sizeof(buf) ? len : (int)sizeof(buf) - 1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* One line, for values of /proc and /sys; empty when there is none. */
static char *read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");

	buf[0] = '\0';
	if (f) {
		if (!fgets(buf, size, f))
			buf[0] = '\0';
		fclose(f);
	}
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

/*
 * A line on the console that no other text can split.  What the tty prints is
 * mixed by the character with what the kernel does.
 */
static void __attribute__((format(printf, 1, 2))) mark(const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int len, fd;

	len = sprintf(buf, "<5>holdfast-init: ");
	va_start(ap, fmt);
	len += vsnprintf(buf + len, sizeof(buf) - len, fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(buf))
		len = sizeof(buf) - 1;
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, buf, len) != len)
		fatal("cannot mark the console: %s", strerror(errno));
	close(fd);
}

/*
 * The build ID of the kernel that runs, as the linker noted it: no other build
 * has the same.
 */
static char *build_id(char *buf, size_t size)
{
	char notes[8192];
	size_t at = 0, n = 0, i;
	ssize_t len = -1;
	Elf64_Nhdr note;
	int fd;

	fd = open("/sys/kernel/notes", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, notes, sizeof(notes));
		close(fd);
	}
	while (len > 0 && at + sizeof(note) <= (size_t)len) {
		const char *name = notes + at + sizeof(note);
		const char *desc;

		memcpy(&note, notes + at, sizeof(note));
		desc = name + ((note.n_namesz + 3) & ~3u);
		at = desc - notes + ((note.n_descsz + 3) & ~3u);
		if (at > (size_t)len)
			break;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
		    memcmp(name, "GNU", 4))
			continue;
		for (i = 0; i < note.n_descsz && n + 3 <= size; i++)
			n += sprintf(buf + n, "%02x", (unsigned char)desc[i]);
		return buf;
	}
	snprintf(buf, size, "unknown");
	return buf;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			perror(path);
		close(fd);
	}
}

static void mount_one(const char *type, const char *source, const char *dir, bool needed)
{
	mkdir(dir, 0755);
	if (mount(source, dir, type, 0, NULL) && needed)
		fatal("cannot mount %s on %s: %s", type, dir, strerror(errno));
}

static void mount_all(void)
{
	mount_one("devtmpfs", "devtmpfs", "/dev", true);
	mount_one("proc", "proc", "/proc", true);
	mount_one("sysfs", "sysfs", "/sys", true);
	mount_one("debugfs", "debugfs", "/sys/kernel/debug", true);
	mount_one("tmpfs", "tmpfs", "/tmp", true);
	mount_one("tmpfs", "tmpfs", "/dev/shm", true);
	mount_one("devpts", "devpts", "/dev/pts", false);
	mount_one("cgroup2", "cgroup2", "/sys/fs/cgroup", false);
	mount_one("ext4", "/dev/vda", "/mnt", false);
}

/*
 * What an administrator permits to the tests, for as long as this machine runs: no
 * test changes it for others.
 */
static void permit_all(void)
{
	const char *yield = "/proc/sys/vm/userfaultfd_yield";

	if (!access(yield, F_OK))
		write_file(yield, "1");
}

/* What mkswap does to a device, and swapon. */
static void swap_on(const char *path)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *header = calloc(1, page);
	/* behind a boot block: version, last page, number of bad pages */
	unsigned int *info = (unsigned int *)(header + 1024);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (size < 0)
		fatal("swap on %s: %s", path, strerror(errno));
	info[0] = 1;
	info[1] = size / page - 1;
	memcpy(header + page - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, header, page, 0) != (ssize_t)page || fsync(fd) || swapon(path, 0))
		fatal("swap on %s: %s", path, strerror(errno));
	close(fd);
	free(header);
}

static int open_port(void)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *d;
	int fd = -1;

	while (dir && (d = readdir(dir))) {
		char path[512], name[64];

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", d->d_name);
		if (strcmp(read_line(path, name, sizeof(name)), PORT_NAME))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", d->d_name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		break;
	}
	if (dir)
		closedir(dir);
	return fd;
}

static void lines_end(struct lines *l)
{
	char out[4 * LINE_MAX_OUT + 16];
	const char *skip;
	size_t i, n = 0;

	if (l->total > TEST_MAX_OUT)
		goto out;
	for (i = 0; i < l->len; i++) {
		unsigned char c = l->line[i];

		if (c == '\t' || (c >= 0x20 && c < 0x7f))
			out[n++] = c;
		else
			n += sprintf(out + n, "\\x%02x", c);
	}
	out[n] = '\0';
	skip = strstr(out, "# SKIP");
	if (skip)
		snprintf(l->skip, sizeof(l->skip), "%s", skip + strlen("# SKIP"));
	put("    ", 4);
	put(out, n);
	if (l->cut)
		put(" [cut]", 6);
	put("\n", 1);
out:
	l->len = 0;
	l->cut = false;
}

static void lines_add(struct lines *l, const char *buf, size_t len)
{
	bool full = l->total > TEST_MAX_OUT;

	l->total += len;
	for (; len; buf++, len--) {
		if (*buf == '\n')
			lines_end(l);
		else if (l->len < sizeof(l->line))
			l->line[l->len++] = *buf;
		else
			l->cut = true;
	}
	if (!full && l->total > TEST_MAX_OUT)
		say("    # more than %d bytes of output, the rest is dropped\n", TEST_MAX_OUT);
}

/* Returns false at the end of the pipe. */
static bool lines_read(struct lines *l, int fd)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		lines_add(l, buf, n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/*
 * Every process but this one is gone, or the run is over.  Kernel threads take
 * no signal from here.
 */
static void kill_all(void)
{
	double end = now() + REAP_SECONDS;

	for (;;) {
		pid_t pid;

		kill(-1, SIGKILL);
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0 && errno == ECHILD)
			return;
		if (pid > 0)
			continue;
		if (now() > end)
			break;
		usleep(2000);
	}
	write_file("/proc/sysrq-trigger", "w");
	say("Bail out! a task is still there %d s after SIGKILL, see the console\n",
	    REAP_SECONDS);
	finish();
}

static void child(struct run *r, int out)
{
	char path[256];
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	close(null);
	close(out);
	if (strcmp(r->env, "-") && putenv(r->env))
		_exit(127);
	snprintf(path, sizeof(path), "%s%s", strchr(r->program, '/') ? "" : "/t/", r->program);
	if (chdir("/tmp") == 0)
		execv(path, r->argv);
	dprintf(1, "# cannot run %s: %s\n", path, strerror(errno));
	_exit(127);
}

static void on_child(int sig)
{
	/* only there to interrupt ppoll() */
	(void)sig;
}

static void run_program(struct run *r)
{
	struct lines l = { .len = 0 };
	double end = now() + r->timeout;
	bool timeout = false, open = true;
	sigset_t none;
	int fds[2], status = 0;
	pid_t pid, got;

	if (pipe2(fds, O_CLOEXEC))
		fatal("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		fatal("fork: %s", strerror(errno));
	if (!pid)
		child(r, fds[1]);
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);

	/* SIGCHLD is blocked but for the wait itself: no exit is slept through. */
	sigemptyset(&none);
	for (;;) {
		struct pollfd p = { .fd = open ? fds[0] : -1, .events = POLLIN };
		double left = end - now();
		struct timespec ts;

		got = waitpid(-1, &status, WNOHANG);
		if (got == pid)
			break;
		if (got > 0)
			continue;
		if (left <= 0) {
			timeout = true;
			break;
		}
		ts.tv_sec = left;
		ts.tv_nsec = (left - ts.tv_sec) * 1e9;
		if (ppoll(&p, 1, &ts, &none) > 0)
			open = lines_read(&l, fds[0]);
	}

	kill_all();
	/* the writers are dead: what is left in the pipe is all there will be */
	while (open && poll(&(struct pollfd){ .fd = fds[0], .events = POLLIN }, 1, 0) > 0)
		open = lines_read(&l, fds[0]);
	close(fds[0]);
	if (l.len || l.cut)
		lines_end(&l);

	if (!timeout && WIFEXITED(status) && WEXITSTATUS(status) > 1 && WEXITSTATUS(status) != 4)
		say("    # exit code %d\n", WEXITSTATUS(status));
	say("%s %s - %s %s %s",
	    !timeout && WIFEXITED(status) &&
	    (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 4) ? "ok" : "not ok",
	    r->seq, r->race, r->column, r->iter);
	if (timeout)
		say(" # TIMEOUT");
	else if (WIFSIGNALED(status))
		say(" # KILLED %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == 4)
		say(" # SKIP%s", l.skip[0] ? l.skip : " no reason given");
	say("\n");
}

static int not_dot(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* The suites ran at boot; the host judges what they printed. */
static void run_kunit(struct run *r)
{
	const char *top = "/sys/kernel/debug/kunit";
	struct dirent **suite;
	int i, n = scandir(top, &suite, not_dot, alphasort);

	for (i = 0; i < n; i++) {
		char path[512];
		struct lines l = { .len = 0 };
		int fd;

		say("# kunit %s\n", suite[i]->d_name);
		snprintf(path, sizeof(path), "%s/%s/results", top, suite[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		while (fd >= 0 && lines_read(&l, fd))
			;
		if (l.len || l.cut)
			lines_end(&l);
		close(fd);
	}
	say("%s %s - %s %s %s\n", n > 0 ? "ok" : "not ok", r->seq, r->race, r->column, r->iter);
}

/* Cuts @line in place; false for a line that is not a run. */
static bool parse(char *line, struct run *r)
{
	char *word[6 + sizeof(r->argv) / sizeof(r->argv[0])], *save = NULL;
	size_t i, n = 0;

	for (char *w = strtok_r(line, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
		if (n + 1 == sizeof(word) / sizeof(word[0]))
			fatal("plan: too many words after %s %s", word[0], word[1]);
		word[n++] = w;
	}
	if (!n || word[0][0] == '#')
		return false;
	if (n < 7)
		fatal("plan: too few words in the line that begins with %s", word[0]);
	*r = (struct run) {
		.seq = word[0], .race = word[1], .column = word[2], .iter = word[3],
		.timeout = atoi(word[4]), .env = word[5], .program = word[6],
	};
	for (i = 6; i < n; i++)
		r->argv[i - 6] = word[i];
	if (r->timeout <= 0)
		fatal("plan: line %s has no time-out", r->seq);
	return true;
}

static void run_plan(FILE *plan)
{
	char *line = NULL, buf[64], id[132];
	size_t size = 0, total = 0;
	struct utsname uts;
	struct run r;

	while (getline(&line, &size, plan) > 0)
		/* neither empty nor for the judge */
		total += !strchr("#", line[strspn(line, " \n")]);
	rewind(plan);
	uname(&uts);
	build_id(id, sizeof(id));
	/* more than ten marks in five seconds are no flood */
	write_file("/proc/sys/kernel/printk_devkmsg", "on");
	mark("kernel %s %s\n", uts.release, id);
	say("TAP version 13\n1..%zu\n# kernel %s %s\n", total, uts.release, id);
	while (getline(&line, &size, plan) > 0) {
		if (!parse(line, &r))
			continue;
		say("# begin %s %s %s %s\n", r.seq, r.race, r.column, r.iter);
		/* the console has the same marks: a splat there can be told whose it is */
		mark("begin %s %s %s %s\n", r.seq, r.race, r.column, r.iter);
		if (strcmp(r.program, "kunit"))
			run_program(&r);
		else
			run_kunit(&r);
	}
	free(line);
	say("# tainted %s\n", read_line("/proc/sys/kernel/tainted", buf, sizeof(buf)));
	/* without it, the console was cut off and may have said more */
	mark("done\n");
	say("# done\n");
}

static void run_shell(void)
{
	char *argv[] = { "sh", "-l", NULL };
	char tty[64], path[80], *last;
	pid_t pid;

	/* /dev/console itself cannot be a controlling terminal */
	read_line("/sys/class/tty/console/active", tty, sizeof(tty));
	last = strrchr(tty, ' ');
	snprintf(path, sizeof(path), "/dev/%s", last ? last + 1 : tty);

	pid = fork();
	if (!pid) {
		int fd;

		setsid();
		fd = open(path, O_RDWR);
		if (fd >= 0) {
			ioctl(fd, TIOCSCTTY, 0);
			for (int i = 0; i < 3; i++)
				dup2(fd, i);
		}
		signal(SIGCHLD, SIG_DFL);
		setenv("PS1", "holdfast:\\w# ", 1);
		execv("/bin/sh", argv);
		fatal("cannot run /bin/sh: %s", strerror(errno));
	}
	while (waitpid(-1, NULL, 0) != pid)
		;
}

int main(void)
{
	const char *swap = getenv("HOLDFAST_SWAP");
	struct sigaction sa = { .sa_handler = on_child };
	sigset_t set;
	FILE *plan;
	int fd, tries;

	mount_all();
	permit_all();
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (swap)
		swap_on(swap);

	clearenv();
	setenv("PATH", "/t:/bin:/sbin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("TERM", "linux", 1);

	plan = fopen("/plan", "re");
	if (!plan) {
		if (access("/bin/sh", X_OK))
			fatal("there is neither a plan nor a shell in this image");
		run_shell();
		finish();
	}
	/* The name of a port comes in a message that the device may send late. */
	for (tries = 0; (port = open_port()) < 0 && tries < 1000; tries++)
		usleep(10000);
	if (port < 0)
		fatal("there is no virtio port named " PORT_NAME);

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGCHLD, &sa, NULL);
	run_plan(plan);
	finish();
}
