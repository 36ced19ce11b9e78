/*
 * changes: the Dockerfile instructions that import and commit take, applied to an image's config.
 *
 * CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR, one line
 * each; errors in dockerd's words.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "core/container.h"

int changes_apply(struct container_spec *config, const struct strv *changes,
                  struct err *e) MUST_USE;
