// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/userfaultfd_yield.h>

#include "uffd_yield.h"

/* Where there is no such mode all contexts are alike, and that is no error. */
static int yield_set(int uffd)
{
	return ioctl(uffd, USERFAULTFD_YIELD) && errno != EINVAL ? errno : 0;
}

static void yield_verify(const struct monitored *m, int err)
{
	if (err == EPERM)
		race_skip("no yielding mode: vm.userfaultfd_yield is 0");
	if (err)
		race_broken("USERFAULTFD_YIELD: %s", strerror(err));
	if (!uffd_fdinfo(m->uffd, "yield"))
		race_broken("the context is not in yielding mode");
}

const struct uffd_mode uffd_yielding = {
	.set = yield_set,
	.verify = yield_verify,
};
