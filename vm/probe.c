// SPDX-License-Identifier: GPL-2.0
/* What vm/guest-test has process 1 run: every way a test can end, and some it should not. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How many processes are there besides process 1, this one, and kernel threads? */
static int others(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	int n = 0;

	while (dir && (d = readdir(dir))) {
		char path[300], c;
		int fd, pid = atoi(d->d_name);

		if (!isdigit(d->d_name[0]) || pid == 1 || pid == getpid())
			continue;
		/* a kernel thread has no command line */
		snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
		fd = open(path, O_RDONLY);
		n += fd >= 0 && read(fd, &c, 1) == 1;
		close(fd);
	}
	return n;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int i;

	if (!strcmp(what, "exit")) {
		printf("ok 1 x # SKIP because\n");
		return atoi(argv[2]);
	} else if (!strcmp(what, "signal")) {
		raise(SIGSEGV);
	} else if (!strcmp(what, "env")) {
		printf("%s|%s|%s\n", getenv("PROBE"), getenv("PATH"), argv[2]);
	} else if (!strcmp(what, "output")) {
		fwrite("a\0b\r\xff\n\n", 1, 7, stdout);
		for (i = 0; i < 5000; i++)
			putchar('x');
		fflush(stdout);
		fprintf(stderr, "\nno newline");
	} else if (!strcmp(what, "flood")) {
		for (i = 0; i < 3 << 20; i += 64)
			printf("%063d\n", i);
	} else if (!strcmp(what, "hang")) {
		signal(SIGTERM, SIG_IGN);
		/* a child that is in no group of ours and keeps the pipe open */
		if (!fork())
			setsid();
		for (;;)
			pause();
	} else if (!strcmp(what, "leave")) {
		if (!fork()) {
			setsid();
			for (;;)
				pause();
		}
	} else if (!strcmp(what, "alone")) {
		i = others();
		printf("%d others\n", i);
		return i != 0;
	} else if (!strcmp(what, "panic")) {
		i = open("/proc/sysrq-trigger", O_WRONLY);
		return write(i, "c", 1) != 1;
	}
	return 0;
}
