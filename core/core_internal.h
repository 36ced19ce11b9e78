/*
 * core_internal: what the files of core/ share and nobody else needs.
 *
 * The table of container_spec.c has one row per field of the create body.  A row of a simple type
 * is served by the table's own loops; one with a shape of its own names a codec.  A codec never
 * sees null: the loops handle "not there", and [] or {} where inspect tells them from null.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/container.h"

struct spec_codec {
    /* stored: the text is our own (container_spec_store), else a client's. */
    int (*decode)(const struct json *j, struct container_spec *s, bool stored, struct err *e);
    void (*encode)(const struct container_spec *s, struct jsonw *w, bool stored);
    bool (*absent)(const struct container_spec *s); /* nothing to say: not stored */
    void (*copy)(struct container_spec *d, const struct container_spec *s); /* d is empty there */
    void (*release)(struct container_spec *s);
};

extern const struct spec_codec codec_exposed, codec_cmd, codec_entrypoint, codec_health,
    codec_volumes, codec_log, codec_ports, codec_ports_stored, codec_restart, codec_console,
    codec_devices, codec_ulimits, codec_masked, codec_readonly, codec_init, codec_mounts_json,
    codec_mounts, codec_endpoints, codec_device_requests, codec_weight_device, codec_read_bps,
    codec_write_bps, codec_read_iops, codec_write_iops;

int check_restart(const struct container_spec *s, struct err *e);

/* Go prints maps by key. */
void jsonw_kvs_sorted(struct jsonw *w, const struct kvs *kvs);
/* The pair when v is not empty. */
void jsonw_opt_str(struct jsonw *w, const char *key, const char *v);
void jsonw_opt_i64(struct jsonw *w, const char *key, int64_t v);
void jsonw_opt_bool(struct jsonw *w, const char *key, bool v);
void jsonw_opt_strv(struct jsonw *w, const char *key, const struct strv *sv);
void jsonw_opt_kvs(struct jsonw *w, const char *key, const struct kvs *kvs);

/* Reads `key` of an object; not there leaves *out as it is. */
int get_str(const struct json *j, const char *key, char **out, struct err *e);
int get_i64(const struct json *j, const char *key, int64_t *out, struct err *e);
int get_bool(const struct json *j, const char *key, bool *out, struct err *e);
int get_strv(const struct json *j, const char *key, struct strv *out, struct err *e);
int get_kvs(const struct json *j, const char *key, struct kvs *out, struct err *e);
int want_type(const struct json *j, enum json_type type, struct err *e);

/* The "config" of an image: the keys of Config.  Ports that are none are passed over, because an
 * image cannot be mended by who runs it. */
int spec_decode_image(const struct json *config, struct container_spec *s, struct err *e);
int exposed_decode_leniently(const struct json *j, struct container_spec *s, struct err *e);

/* Binds, Mounts, Tmpfs and Volumes of a create body into s->mounts and s->mounts_json. */
int mounts_collect(const struct json *mounts, struct container_spec *s, struct err *e);
int mount_decode_api(const struct json *j, struct mount_spec *m, struct jsonw *canonical,
                     struct err *e);
int mount_parse_mode(const char *mode, struct mount_spec *m, struct err *e);
int mount_check_target(const char *target, const char *type, struct err *e);
int mount_propagation_check(const char *p, struct err *e);

void port_text(uint16_t port, enum proto proto, char out[16]);
int ip_check(const char *text); /* 4, 6, or 0 when it is none */
bool mac_valid(const char *text);
int links_check(const struct strv *links, struct err *e);

/* Parts of container_spec_validate(), one file each. */
int check_config(const struct container_spec *s, struct err *e);
int check_resources(const struct container_spec *s, struct err *e);
int check_networking(const struct container_spec *s, struct err *e);
int check_security(const struct container_spec *s, struct err *e);
int check_mounts(const struct container_spec *s, struct err *e);
