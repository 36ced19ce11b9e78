/* handlers: the functions that routes.c names, one file per tag of the API reference. */
#pragma once

#include "api/codec.h"
#include "api/request.h"
#include "api/route.h"

/* system.c */
route_fn system_ping, system_version, system_info, system_df, system_options;
/* events.c */
route_fn events_stream;
/* containers.c */
route_fn container_list_all, container_create_one, container_inspect, container_start,
    container_stop, container_restart, container_kill, container_pause, container_unpause,
    container_rename, container_remove, container_wait_exit, container_prune;
/* containers_io.c */
route_fn container_attach, container_attach_ws, container_logs, container_resize, container_top,
    container_checkpoint;
/* containers_update.c */
route_fn container_update;
/* stats.c */
route_fn container_stats_stream;
/* archive.c */
route_fn container_archive_head, container_archive_get, container_archive_put, container_export,
    container_changes;
/* commit.c */
route_fn container_commit_one;
/* exec.c */
route_fn exec_create, exec_start, exec_inspect, exec_resize;
/* images.c */
route_fn image_list_all, image_inspect, image_history, image_tag, image_remove, image_prune;
/* images_transfer.c */
route_fn image_create, image_load, image_save, image_save_many;
/* networks.c */
route_fn network_list_all, network_inspect, network_create, network_remove, network_prune,
    network_connect, network_disconnect;
/* volumes.c */
route_fn volume_list_all, volume_inspect, volume_create, volume_remove, volume_prune;
/* swarm.c */
route_fn swarm_unavailable, swarm_update, swarm_leave, volume_update, build_prune, build_cancel,
    plugin_list;
/* ballast.c */
route_fn ballast_apps, ballast_app, ballast_remove, ballast_apply, ballast_plan, ballast_suspend,
    ballast_resume, ballast_explain, ballast_wait, ballast_rescan, ballast_doctor;

/* What every codec needs, from the request. */
struct codec codec_of(const struct request *rq);
/* containers.c: does an app that still exists own it?  Prunes leave such things alone. */
bool owned_by_app(const struct strv *apps, const char *app);
/* images.c: how many containers use the image. */
int64_t image_users(const struct container_list *containers, const char *image_id);
/* images.c: an event of the type image, whose name attribute is `name`. */
void image_event(const struct request *rq, const char *action, const char *id, const char *name);
/* containers_logs.c: the whole log to a connection that was taken over. */
int logs_replay(struct request *rq, const struct container *c, bool raw, bool out, bool err,
                struct err *e) MUST_USE;
/* containers_io.c: h= and w= of resize. */
int request_resize(struct request *rq, unsigned *rows, unsigned *cols, struct err *e);
/* containers_list.c: the filters of /containers/json, and their meaning. */
int container_list_write(struct request *rq, struct buf *out, struct err *e);
/* containers.c: the kind of an error of starting a process, as clients expect it. */
void start_error(struct err *e);
