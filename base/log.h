/*
 * log: one line per fact, on stderr.
 *
 * The text is constant and comes first; what varies follows as key=value:
 *     log_info("container started", "id=%s pid=%d", id, pid);
 * The second argument (may be NULL) is a printf format of space-separated pairs; values that hold
 * spaces or quotes are put in with log_quote().  Levels: error = somebody must act; warn = we went
 * on, say how; info = a change of state; debug.  Formats: dockerd's text (logfmt) or JSON lines.
 */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

void log_setup(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *text, const char *pairs, ...) PRINTF_LIKE(3, 4);
/* Quotes and escapes when needed; a ring of buffers of the thread, good for one log call. */
const char *log_quote(const char *value);

#define log_error(text, ...) log_write(LOG_ERROR, text, __VA_ARGS__)
#define log_warn(text, ...)  log_write(LOG_WARN, text, __VA_ARGS__)
#define log_info(text, ...)  log_write(LOG_INFO, text, __VA_ARGS__)
#define log_debug(text, ...)                         \
    do {                                             \
        if (log_enabled(LOG_DEBUG))                  \
            log_write(LOG_DEBUG, text, __VA_ARGS__); \
    } while (0)
