/*
 * event: something that happened to an object, in the shape that `docker events` prints.
 *
 * Types, actions and attributes: the Engine API's (type "container", action "die", attributes
 * image, name, exitCode and the labels).  Ours add type "app" (actions plan, ready, error, drift,
 * removed) and the attribute "by" (who asked: "api uid=0 pid=17", "app shop", "restart policy").
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct event {
    int64_t seq; /* of the database; 0 until stored */
    int64_t time_ns;
    char *type, *action, *id;
    struct kvs attributes;
};

void event_init(struct event *ev, const char *type, const char *action, const char *id); /* now */
void event_release(struct event *ev);
void event_copy(struct event *dst, const struct event *src);
#define cleanup_event CLEANUP(event_release)
