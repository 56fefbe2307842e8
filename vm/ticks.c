// SPDX-License-Identifier: GPL-2.0
/* Prints the frequency, in kHz, of what QEMU's TCG shows a guest as its cycle counter. */
#include <stdio.h>
#include <time.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

#if defined(__x86_64__) || defined(__i386__)
static double ticks(void)
{
	return __builtin_ia32_rdtsc();
}
#else
/* QEMU takes the clock in nanoseconds there */
static double ticks(void)
{
	return now() * 1e6;
}
#endif

int main(void)
{
	double start = now(), first = ticks(), end;

	do
		end = now();
	while (end - start < 50);
	printf("%.0f\n", (ticks() - first) / (end - start));
	return 0;
}
