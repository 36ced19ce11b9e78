/*
 * version: which API versions are spoken, and every shape that depends on the version.
 *
 * A version is its minor number: "1.44" is 44.  Handlers and codecs never compare numbers: they ask
 * for a shape by name, and the table in version.c says since when, or until when, it holds.
 */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"

#define API_MINOR_MIN   24
#define API_MINOR_MAX   51
#define API_VERSION_MIN "1.24"
#define API_VERSION_MAX "1.51"

enum shape {
    SHAPE_MULTIPLEXED_TYPE,   /* attach and logs name the multiplexed stream in Content-Type */
    SHAPE_NONE_TAGS,          /* dangling images list "<none>:<none>" */
    SHAPE_NULL_DIGESTS,       /* images without digests list null */
    SHAPE_VIRTUAL_SIZE,       /* images have VirtualSize */
    SHAPE_CONTAINER_CONFIG,   /* images have ContainerConfig */
    SHAPE_IMAGE_CONFIG_WHOLE, /* image Config has the keys that only containers use */
    SHAPE_IMAGE_CONTAINERS,   /* image lists count containers */
    SHAPE_SHORT_ID_ALIAS,     /* endpoint Aliases include the short ID */
    SHAPE_IMAGE_CREATE_EVENT, /* the event "image create" exists */
    SHAPE_PRUNE_ANONYMOUS,    /* volumes/prune spares named volumes unless all=true */
    SHAPE_WS_STREAMS,         /* attach/ws minds stdin=, stdout= and stderr= */
    SHAPE_STOP_SIGNAL,        /* stop and restart take signal= */
    SHAPE_CONSOLE_SIZE,       /* exec start takes ConsoleSize */
    SHAPE_PLAIN_SECURITY,     /* info: SecurityOptions without "name=" */
    SHAPE_COMMIT_EXPECTED,    /* info: Commit objects have Expected */
    SHAPE_BRIDGE_NF,          /* info: BridgeNfIptables */
    SHAPE_KERNEL_MEMORY,      /* info: KernelMemory */
    SHAPE_FIREWALL_BACKEND,   /* info: FirewallBackend */
    SHAPE_ENDPOINT_MAC,       /* create: a MAC address belongs to an endpoint; else a warning */
    SHAPE_UPDATE_PIDS,        /* update: PidsLimit counts */
    SHAPES
};
bool shape_holds(int minor, enum shape s);

/*
 * The text between "/v" and the next "/".  Versions compare number by number, so "1.030" is 1.30.
 * An error is ERR_INVALID in Docker's words; *plain_text when it goes out without JSON around it,
 * as old clients need it.
 */
int version_parse(const char *text, int *minor, bool *plain_text, struct err *e) MUST_USE;
