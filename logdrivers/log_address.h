/*
 * log_address: where a remote log driver sends, as users write it: "tcp+tls://host:6514".
 *
 * Read as Go's url.Parse does as far as such addresses go, down to its words for what is wrong,
 * since clients show them.  host is without brackets; port is "" when there is none.
 */
#pragma once

#include "base/compiler.h"
#include "base/err.h"

struct log_address {
    char *scheme, *host, *port, *path;
};

int log_address_parse(const char *text, struct log_address *out, struct err *e) MUST_USE;
void log_address_release(struct log_address *a);
#define cleanup_log_address CLEANUP(log_address_release)
