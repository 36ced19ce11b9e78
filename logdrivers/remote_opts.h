/*
 * remote_opts: the options of the remote log drivers.
 *
 * The agent checks them when a container is created, in dockerd's words; ballast-log reads them
 * again when it delivers.  What both read is declared here.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct log_address;

/* All that can be told without talking to the peer. */
int remote_opts_check(const char *driver, const struct kvs *opts, struct err *e) MUST_USE;

/* "tcp", "udp", "unix", "unixgram", and "tcp" for "tcp+tls" and "tls"; NULL for others. */
const char *remote_network(const char *scheme);

enum syslog_format { SYSLOG_DEFAULT, SYSLOG_RFC3164, SYSLOG_RFC5424, SYSLOG_RFC5424MICRO };
int syslog_format_parse(const char *text, enum syslog_format *out, struct err *e) MUST_USE;
int syslog_facility_parse(const char *text, int *out, struct err *e) MUST_USE;

/* With host and port filled in; unix has a path only. */
int fluentd_address_parse(const char *given, struct log_address *out, struct err *e) MUST_USE;

/* As Go's strconv.ParseBool; NULL and "" leave *out. */
int remote_parse_bool(const char *text, bool *out, struct err *e) MUST_USE;

/* True unless cache-disabled says otherwise: `docker logs` of a remote driver reads a local copy.
 */
bool remote_has_cache(const struct kvs *opts);
