/*
 * logdrivers: the drivers there are, and what they share.
 *
 * log_writer_find() is for the shim: it knows the drivers by what they do while a container runs,
 * and keeps the readers and the option checks out of a program that should stay small.
 */
#pragma once

#include "core/log_driver.h"

extern const struct log_driver_ops log_driver_json_file;
extern const struct log_driver_ops log_driver_local;
extern const struct log_driver_ops log_driver_none;
/* remote_cache.c */
extern const struct log_driver_ops log_driver_awslogs, log_driver_fluentd, log_driver_gelf,
    log_driver_journald, log_driver_splunk, log_driver_syslog;

/*
 * The options that every driver takes (mode, max-buffer-size, cache-*), and that the others are
 * among `known`; in dockerd's words.
 */
int log_opts_check(const struct kvs *opts, const char *driver, const char *const *known, size_t n,
                   struct err *e) MUST_USE;
int log_opts_check_common(const struct kvs *opts, struct err *e) MUST_USE;
bool log_opt_is_common(const char *key);
