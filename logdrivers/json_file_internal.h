/*
 * json_file_internal: what the three halves of the json-file driver share.
 *
 * json_file.c has the options and the ops table, json_file_write.c the writer of the shim,
 * json_file_read.c the reader of the agent.
 */
#pragma once

#include <stdint.h>

#include "core/log_driver.h"

struct json_file_opts {
    int64_t max_size;  /* bytes; -1: no limit */
    int64_t max_files; /* the current one included; at least 1 */
    const char *attrs; /* an object's text, or "" */
};

#define JSON_FILE_MAX_FILES 1000 /* a rotation renames them one by one */

/* max-size and max-file, and that the rest can be obeyed. */
int json_file_opts_parse(const struct kvs *opts, struct json_file_opts *out,
                         struct err *e) MUST_USE;

/* "<path>" for 0, else "<path>.<n>"; caller frees. */
char *json_file_name(const char *path, int64_t n);

int json_file_open(const char *path, const struct kvs *opts, struct log_writer **out,
                   struct err *e) MUST_USE;
int json_file_write(struct log_writer *w, const struct log_line *line, struct err *e) MUST_USE;
int json_file_flush(struct log_writer *w, struct err *e) MUST_USE;
void json_file_close(struct log_writer *w);

int json_file_read(const char *path, const struct log_read_opts *opts, struct cancel *c,
                   log_each_fn *each, void *arg, struct err *e) MUST_USE;
