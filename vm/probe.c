// SPDX-License-Identifier: GPL-2.0
/*
 * What vm/guest-test has process 1 run: every way a test can end, and some it should not.
 * "machine KEY=VALUE...": does the VM have what vm/boot was asked for?  "pageout": is a
 * page in swap, and nowhere else, once it was paged out?
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* The sum of the numbers behind each @key of a file; -1 if there is none. */
static long number(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	char line[256];
	long value, sum = -1;

	while (f && fgets(line, sizeof(line), f)) {
		char *at = strstr(line, key);

		if (at && sscanf(at + strlen(key), "%ld", &value) == 1)
			sum = (sum < 0 ? 0 : sum) + value;
	}
	if (f)
		fclose(f);
	return sum;
}

/* MiB of RAM that the machine has, and not the kernel: the last one is not whole. */
static long memory(void)
{
	FILE *f = fopen("/proc/iomem", "re");
	unsigned long start, end, sum = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		/* what it consists of is indented */
		if (strstr(line, " : System RAM") && sscanf(line, "%lx-%lx", &start, &end) == 2)
			sum += end - start + 1;
	if (f)
		fclose(f);
	return (sum + (1 << 20) - 1) >> 20;
}

/* Nodes that have memory. */
static long nodes(void)
{
	char path[64];
	long n = 0;

	for (;;) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%ld/meminfo", n);
		if (number(path, "MemTotal:") <= 0)
			return n;
		n++;
	}
}

/* MiB of it, its header included. */
static long swap(void)
{
	long kb = number("/proc/meminfo", "SwapTotal:");

	return kb > 0 ? (kb + sysconf(_SC_PAGESIZE) / 1024) / 1024 : kb;
}

static int pageout(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned char resident = 1;
	long in_swap, after;
	bool good;

	if (p == MAP_FAILED)
		return 2;
	memset(p, 0x5a, page);
	good = !madvise(p, page, MADV_PAGEOUT) && !mincore(p, page, &resident) && !(resident & 1);
	in_swap = number("/proc/self/smaps", "Swap:");
	good = good && p[0] == 0x5a && p[page - 1] == 0x5a;
	after = number("/proc/self/smaps", "Swap:");
	printf("TAP version 13\n1..1\n# in swap: %ld kB, then %ld kB\n", in_swap, after);
	good = good && in_swap == (long)page / 1024 && !after;
	printf("%sok 1 - a page in shmem is paged out and comes back\n", good ? "" : "not ");
	return !good;
}

static int machine(int argc, char **argv)
{
	int i, bad = 0;

	printf("TAP version 13\n1..%d\n", argc);
	for (i = 0; i < argc; i++) {
		char *value = strchr(argv[i], '=');
		long got = -1;

		if (!value)
			return 2;
		*value++ = '\0';
		if (!strcmp(argv[i], "vcpus"))
			got = sysconf(_SC_NPROCESSORS_ONLN);
		else if (!strcmp(argv[i], "memory"))
			got = memory();
		else if (!strcmp(argv[i], "hugepages"))
			got = number("/proc/meminfo", "HugePages_Total:");
		else if (!strcmp(argv[i], "swap"))
			got = swap();
		else if (!strcmp(argv[i], "nodes"))
			got = nodes();
		printf("%sok %d - %s: %ld, and %s were asked for\n", got == atol(value) ? "" : "not ",
		       i + 1, argv[i], got, value);
		bad |= got != atol(value);
	}
	return bad;
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
	} else if (!strcmp(what, "machine")) {
		return machine(argc - 2, argv + 2);
	} else if (!strcmp(what, "pageout")) {
		return pageout();
	} else if (!strcmp(what, "panic")) {
		i = open("/proc/sysrq-trigger", O_WRONLY);
		return write(i, "c", 1) != 1;
	}
	return 0;
}
