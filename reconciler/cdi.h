/*
 * cdi: devices of the Container Device Interface (github.com/cncf-tags/container-device-interface,
 * SPEC.md): files in a few directories say what a container needs so that it can use a device.
 *
 * They are read anew for every container that asks, because nobody tells us when they change; few
 * containers do.  A file that is wrong is as if it were not there, and said so in the log.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "compose/yaml.h"

struct run_spec;

struct cdi_spec {
    struct yaml_doc doc;
    const char *kind; /* "vendor.com/class", in doc */
    size_t rank;      /* of its directory: the highest wins */
};
/* JSON or YAML; everything about it is checked here. */
int cdi_spec_parse(const char *text, size_t len, const char *path, struct cdi_spec *out,
                   struct err *e) MUST_USE;
void cdi_spec_release(struct cdi_spec *s);

/* The edits of a spec ("containerEdits") or of one of its devices; NULL: none. */
int cdi_apply(const struct yaml_node *edits, struct run_spec *rs, struct err *e) MUST_USE;
/* names: "vendor.com/class=device" */
int cdi_inject(const struct strv *dirs, const struct strv *names, struct run_spec *rs,
               struct err *e) MUST_USE;
