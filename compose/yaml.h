/*
 * yaml: YAML text -> a tree of nodes with positions, over libyaml's events.
 *
 * Merge keys and anchors are resolved, duplicate keys and unknown tags are errors, and the numbers
 * of bytes, nodes (after alias expansion) and levels are limited.  Scalars keep their text and
 * style; what they mean (int, bool, string) is decided by whoever reads a field, except through
 * yaml_scalar_type(), the YAML 1.2 core schema.  The agent's configuration is read with it too
 * (JSON is YAML).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_SEQ, YAML_MAP };
enum yaml_tag { YAML_TAG_NONE, YAML_TAG_RESET, YAML_TAG_OVERRIDE };

struct yaml_node {
    enum yaml_kind kind;
    enum yaml_tag tag;
    unsigned line, column; /* from 1 */
    const char *file;      /* borrowed from the document */
    char *text;            /* scalar */
    bool plain;            /* scalar: unquoted */
    struct yaml_pair {
        char *key;
        unsigned line, column;
        struct yaml_node *value;
    } * pairs;                /* map, in the order of the text */
    struct yaml_node **items; /* sequence */
    size_t n;
};

#define YAML_MAX_BYTES (4 * 1024 * 1024)
#define YAML_MAX_NODES 100000
#define YAML_MAX_DEPTH 64
#define YAML_MAX_KEYS  10000 /* of one mapping; duplicates are looked for one by one */

struct yaml_doc {
    struct yaml_node *root; /* never NULL after success; YAML_NULL for an empty text */
    char *file;
};
int yaml_parse(const char *text, size_t len, const char *file, struct yaml_doc *out,
               struct err *e) MUST_USE;
void yaml_release(struct yaml_doc *d);
#define cleanup_yaml CLEANUP(yaml_release)

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key); /* NULL: not there */
/* ERR_INVALID "<file>:<line>:<column>: <message>" */
int yaml_error(const struct yaml_node *at, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);
enum yaml_type { YAML_T_NULL, YAML_T_BOOL, YAML_T_INT, YAML_T_FLOAT, YAML_T_STR };
enum yaml_type yaml_scalar_type(const struct yaml_node *n);
