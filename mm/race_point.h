/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions of mm/race_point.c apart from their file, for its KUnit tests.
 */
#ifndef _MM_RACE_POINT_H
#define _MM_RACE_POINT_H

#include <linux/race_point.h>

struct seq_file;

/**
 * struct race_arm - what arming a point takes
 * @filter: which passes
 * @skip: let so many matching passes through first
 * @times: hold so many tasks, then let the others through
 * @timeout: in ms, 0 for the default of the kind
 * @until: name of the point whose hits let go who is held; NULL for none
 * @until_hits: how many hits, 1 at least
 */
struct race_arm {
	struct race_filter filter;
	unsigned int skip;
	unsigned int times;
	unsigned int timeout;
	const char *until;
	unsigned int until_hits;
};

/* Hits that one log can take; those that come later are counted as lost. */
#define RACE_LOG_MAX	1024

struct race_session *race_session_open(void);
void race_session_end(struct race_session *s);
void race_session_close(struct race_session *s);
int race_session_arm(struct race_session *s, const char *name,
		     const struct race_arm *arm);
int race_session_bypass(struct race_session *s, const char *name,
			struct mm_struct *mm);
int race_session_command(struct race_session *s, char *cmd);
void race_session_show(struct race_session *s, struct seq_file *m);

#endif /* _MM_RACE_POINT_H */
