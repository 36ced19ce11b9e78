/* plan_internal: what the plan_*.c files share. */
#pragma once

#include "reconciler/plan.h"

#define NO_OP SIZE_MAX

/* One service: what is wanted, what is there, and the operations that lead from this to that. */
struct plan_service {
    const char *name;
    const struct app_service *want; /* NULL: it left the file */
    const struct app_service *was;  /* in the previous model, or NULL */
    const struct container *have;   /* NULL: nothing */
    char *container_name;           /* wanted */
    bool recreate, restart, start, update;
    char *cause;   /* of recreate, restart, start or update */
    char *blocked; /* why nothing is done about what is there */
    struct strv changes;
    size_t stop, remove, create, started; /* numbers of the operations, NO_OP */
    int visit;                            /* of the ordering: 0 new, 1 on the way, 2 done */
};

struct planner {
    const struct app *want; /* NULL: all goes */
    const struct plan_world *world;
    struct plan *out;
    struct plan_service *services;
    size_t n_services;
    size_t *order; /* dependencies first */
    size_t n_order;
};

/* ------------------------------------------------------------- plan_text.c */

/* What differs between two services, for people.  Values of variables are never shown. */
void plan_changes(const struct app_service *was, const struct app_service *want, struct strv *out);
/* One line of many: "ports: 80 -> 81", or "ports and image changed". */
char *plan_cause(const struct strv *changes, const char *otherwise);

/* ---------------------------------------------------------- plan_service.c */

/* Fills recreate, restart, start, update, cause and blocked from what is there alone. */
void plan_decide(const struct planner *p, struct plan_service *s);
/* "db is not healthy yet", or NULL when a container that is there fulfils the condition. */
char *plan_waits_for(const struct plan_service *dep, enum depends_condition c);
bool plan_shares_namespace(const struct app_service *s, const char *container_name);
bool plan_uses_network(const struct container *c, const struct network *n);
const struct network *plan_find_network(const struct plan_world *w, const char *name);
const struct volume *plan_find_volume(const struct plan_world *w, const char *name);
bool plan_network_stale(const struct planner *p, const struct app_network *n);
