/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interface of the sessions in mm/race_point.c, for their debugfs file and
 * for the KUnit tests.
 */
#ifndef _MM_RACE_POINT_H
#define _MM_RACE_POINT_H

#include <linux/race_point.h>

struct seq_file;

/**
 * struct race_arm - the parameters with which a point is armed
 * @filter: the passes to hold
 * @skip: the number of matching passes to let through first
 * @times: the number of tasks to hold; later ones are let through
 * @timeout: in ms, 0 for the default of the kind
 * @until: name of the point whose hits release the held tasks; NULL for none
 * @until_hits: the number of its hits, 1 at least
 */
struct race_arm {
	struct race_filter filter;
	unsigned int skip;
	unsigned int times;
	unsigned int timeout;
	const char *until;
	unsigned int until_hits;
};

/* The number of hits that a log holds; later ones are counted as lost. */
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
