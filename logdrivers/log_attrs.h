/*
 * log_attrs: what the options labels, labels-regex, env, env-regex and tag add to each record.
 *
 * They name things that only the agent knows (labels, environment, names), so the agent works them
 * out once, before the start, and hands the shim's writer the finished object as one more option.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* The option that carries the finished object; no user can set it, as check() does not know it. */
#define LOG_OPT_ATTRS "ballast.attrs"
#define LOG_ATTRS_MAX (64 * 1024)

struct log_attrs_source {
    const char *id, *name, *image, *image_id;
    const struct kvs *labels;
    const struct strv *env; /* "K=V" */
};

/* That a tag's template and the regular expressions can be used. */
int log_attrs_check(const struct kvs *opts, struct err *e) MUST_USE;

/* Appends {"k":"v",...}, or nothing when there is nothing to add. */
int log_attrs_build(const struct kvs *opts, const struct log_attrs_source *src, struct buf *out,
                    struct err *e) MUST_USE;

/* The option tag, or `fallback` when it is empty, with src's names in it. */
int log_tag_render(const struct kvs *opts, const char *fallback, const struct log_attrs_source *src,
                   struct buf *out, struct err *e) MUST_USE;
/* What labels, env and their patterns pick: the attributes without the tag. */
int log_attrs_pick(const struct kvs *opts, const struct log_attrs_source *src, struct kvs *attrs,
                   struct err *e) MUST_USE;
