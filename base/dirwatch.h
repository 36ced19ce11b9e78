/* dirwatch: wakes when something below a directory may have changed (inotify; win32:
 * ReadDirectoryChangesW). */
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct cancel;
struct dirwatch;

int dirwatch_open(struct dirwatch **out, struct err *e) MUST_USE;
/* Watches the directory itself (not below it).  Adding it again is fine; a missing one is
 * ERR_NOT_FOUND. */
int dirwatch_add(struct dirwatch *w, const char *dir, struct err *e) MUST_USE;
/* 1: something changed; 0: timeout_ms passed; -1: cancelled or failed. */
int dirwatch_wait(struct dirwatch *w, int64_t timeout_ms, struct cancel *c, struct err *e) MUST_USE;
void dirwatch_free(struct dirwatch *w);
