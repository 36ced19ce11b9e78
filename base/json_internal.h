/* json_internal: the grammar check that runs before json-c sees a text. */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define JSON_DEPTH_MAX 64

/* Exactly one value of RFC 8259 with white space around it, and nothing else. */
int json_check(const char *text, size_t len, struct err *e) MUST_USE;
