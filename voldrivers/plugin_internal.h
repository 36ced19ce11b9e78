/*
 * plugin_internal: the Docker plugin protocol, as far as volumes need it.
 *
 *     plugin_find.c    name -> address: sockets, .spec and .json files, as moby's pkg/plugins finds
 * them plugin_client.c  one call: POST /<method>, JSON in and out, TLS, retries plugin_reply.c what
 * came back plugin.c         VolumeDriver.* as a struct vol_driver_ops
 */
#pragma once

#include "base/buf.h"
#include "base/json.h"
#include "core/vol_driver.h"

/* ------------------------------------------------------------------ where a plugin is */

struct plugin_address {
    char *name;
    char *url;     /* "unix:///run/x.sock", "tcp://host:port", "http://...", "https://..." */
    bool tls;      /* .json with a TLSConfig */
    bool insecure; /* InsecureSkipVerify, or no CA is named */
    char *ca, *cert, *key; /* files; NULL: none */
};
void plugin_address_release(struct plugin_address *a);
#define cleanup_plugin_address CLEANUP(plugin_address_release)

/* ERR_NOT_FOUND: there is none of this name. */
int plugin_find(const struct vol_env *env, const char *name, struct plugin_address *out,
                struct err *e) MUST_USE;
/* The text of a .spec (a URL) or .json file. */
int plugin_spec_parse(const char *text, size_t len, struct plugin_address *out,
                      struct err *e) MUST_USE;
int plugin_json_parse(const char *text, size_t len, struct plugin_address *out,
                      struct err *e) MUST_USE;
/* Every name that plugin_find() would find, each once, sorted. */
void plugin_names(const struct vol_env *env, struct strv *out);

/* ------------------------------------------------------------------ what it says */

struct plugin_volume {
    char *name, *mountpoint;
    int64_t created_ns; /* 0: not told */
    char *status;       /* JSON object; NULL: none */
};
/* Every member that some reply has; what is not there is NULL or 0. */
struct plugin_reply {
    char *err; /* "Err"; NULL or "": it went well */
    char *mountpoint;
    char *scope; /* Capabilities.Scope */
    struct strv implements;
    bool has_volume;
    struct plugin_volume volume;
    struct plugin_volume *volumes;
    size_t n_volumes;
};
int plugin_reply_parse(const char *text, size_t len, struct plugin_reply *out,
                       struct err *e) MUST_USE;
void plugin_reply_release(struct plugin_reply *r);
#define cleanup_plugin_reply CLEANUP(plugin_reply_release)

/* ------------------------------------------------------------------ calling it */

struct plugin_call {
    const char *method;     /* "VolumeDriver.Mount" */
    const struct buf *body; /* JSON; NULL: none */
    int64_t timeout_s;      /* of one try */
    int64_t patience_ms;    /* when it cannot be reached: again after 1, 2, 4, ... s; 0: once */
    struct cancel *stop;
};
/*
 * One call.  An answer other than 200 is ERR_IO "<method>: <its words>"; the member Err of a 200 is
 * the caller's.
 */
int plugin_call(const struct plugin_address *a, const struct plugin_call *call,
                struct plugin_reply *out, struct err *e) MUST_USE;

extern const struct vol_driver_ops vol_driver_plugin;
/* The handshake, once for as long as the plugin's address stays the same. */
int plugin_activate(const struct vol_env *env, const char *name, bool patient, struct err *e);

/* dockerd's. */
#define PLUGIN_PATIENCE_MS 30000
