/* The handlers over the wire: what reaches the engine, what comes back, what ends with the client.
 */
#include "tests/unit/api/raw_client.h"

#define ID "1111111111111111111111111111111111111111111111111111111111111111"

static struct server server;
static struct container *q1;

static void doctor(void *arg, struct strv *lines)
{
    (void)arg;
    strv_add(lines, "seccomp\tok\t");
    strv_add(lines, "cgroup v2\tmissing\tmemory limits");
}

static int compose(void *arg, const char *name, const char *project_dir, const struct strv *files,
                   const struct kvs *env, struct app **out, struct err *e)
{
    (void)arg;
    (void)project_dir;
    if (str_ends(files->v[0], "bad.yaml"))
        return err_set(e, ERR_INVALID, "bad.yaml:3:5: unknown key");
    *out = app_new();
    str_set(&(*out)->name, name ? name : kvs_get(env, "NAME"));
    str_set(&(*out)->revision, "r1");
    return 0;
}

static int start(void **state)
{
    struct api_config cfg = {.root_dir = "/data", .doctor = doctor, .compose = compose};

    (void)state;
    server_start_with(&server, &cfg, NULL, 0);
    q1 = fake_container(server.g, ID, "q1", STATUS_RUNNING);
    fake_image(server.g, "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
               "busybox:latest");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static const char *ask(const char *method, const char *target)
{
    return client_ask(&server, method, target, NULL, NULL);
}

/* ------------------------------------------------------ simple requests */

static const struct {
    const char *method, *target, *json, *answer, *call;
} simple[] = {
    {"GET",     "/_ping",                                       NULL,                                                       "\r\n\r\nOK",                                         NULL                      },
    {"HEAD",    "/_ping",                                       NULL,                                                       "Content-Length: 0\r\n",                              NULL                      },
    {"GET",     "/version",                                     NULL,                                                       "\"MinAPIVersion\":\"1.24\"",                         NULL                      },
    {"GET",     "/info",                                        NULL,                                                       "\"LocalNodeState\":\"inactive\"",                    NULL                      },
    {"OPTIONS", "/x",                                           NULL,                                                       " 200 OK",                                            NULL                      },
    {"POST",    "/containers/create?name=web",                  "{\"Image\":\"busybox\"}",                                  "\",\"Warnings\":[]}\n",
     "create web image=busybox by=api uid="                                                                                                                                                                 },
    {"POST",    "/containers/create?name=/web",                 "{\"Image\":\"busybox\"}",                                  " 201 ",
     "create web image"                                                                                                                                                                                     },
    {"POST",    "/containers/create",                           "{}",
     "{\"message\":\"config cannot be empty in order to create a container\"}",                                                                                                   NULL                      },
    {"POST",    "/containers/create",                           "{\"HostConfig\":{}}",                                      "config cannot be empty",                             NULL                      },
    {"POST",    "/containers/create",                           "",
     "{\"message\":\"invalid JSON: got EOF while reading request body\"}",                                                                                                        NULL                      },
    {"POST",    "/containers/q1/start",                         NULL,                                                       " 204 No Content",                                    "start q1 by=api uid="    },
    {"POST",    "/containers/q1/start",                         "{\"abcdefgh\":1}",                                         " 400 ",                                              NULL                      },
    {"POST",    "/containers/q1/start",                         "{}",                                                       " 204 ",                                              NULL                      },
    {"POST",    "/containers/q1/stop",                          NULL,                                                       " 204 ",                                              "stop q1 signal=- t=-2;"  },
    {"POST",    "/containers/q1/stop?t=5&signal=INT",           NULL,                                                       " 204 ",                                              "stop q1 signal=INT t=5;" },
    {"POST",    "/v1.41/containers/q1/stop?t=-7&signal=INT",    NULL,                                                       " 204 ",                                              "stop q1 signal=- t=-1;"  },
    {"POST",    "/containers/q1/stop?t=x",                      NULL,
     "{\"message\":\"strconv.Atoi: parsing \\\"x\\\": invalid syntax\"}",                                                                                                         NULL                      },
    {"POST",    "/containers/q1/restart?t=1",                   NULL,                                                       " 204 ",                                              "restart q1 signal=- t=1;"},
    {"POST",    "/containers/q1/kill",                          NULL,                                                       " 204 ",                                              "kill q1 signal=-;"       },
    {"POST",    "/containers/q1/kill?signal=HUP",               NULL,                                                       " 204 ",                                              "kill q1 signal=HUP;"     },
    {"POST",    "/containers/q1/kill?signal=FOO",               NULL,
     "{\"message\":\"cannot kill container: q1: invalid signal: FOO\"}",                                                                                                          NULL                      },
    {"POST",    "/containers/q1/pause",                         NULL,                                                       " 204 ",                                              "pause q1;"               },
    {"POST",    "/containers/q1/unpause",                       NULL,                                                       " 204 ",                                              "unpause q1;"             },
    {"POST",    "/containers/q1/rename?name=x",                 NULL,                                                       " 204 ",                                              "rename q1 x;"            },
    {"DELETE",  "/containers/q1?force=1&v=true",                NULL,                                                       " 204 ",                                              "remove q1 force=1 v=1;"  },
    {"DELETE",  "/containers/q1?force=0",                       NULL,                                                       " 204 ",                                              "remove q1 force=0 v=0;"  },
    {"POST",    "/containers/q1/resize?h=24&w=80",              NULL,                                                       " 200 ",                                              "resize q1 24x80;"        },
    {"POST",    "/containers/q1/resize",                        NULL,
     "{\"message\":\"invalid resize height \\\"\\\": invalid syntax\"}",                                                                                                          NULL                      },
    {"POST",    "/containers/q1/resize?h=1&w=-1",               NULL,
     "{\"message\":\"invalid resize width \\\"-1\\\": value out of range\"}",                                                                                                     NULL                      },
    {"GET",     "/containers/q1/top",                           NULL,                                                       "{\"Processes\":[[\"17\"]],\"Titles\":[\"PID\"]}",
     "top q1 -ef;"                                                                                                                                                                                          },
    {"GET",     "/containers/q1/top?ps_args=aux",               NULL,                                                       " 200 ",                                              "top q1 aux;"             },
    {"GET",     "/containers/q1/logs",                          NULL,
     "{\"message\":\"Bad parameters: you must choose at least one stream\"}",                                                                                                     NULL                      },
    {"GET",     "/containers/nope/logs?stdout=1",               NULL,                                                       "{\"message\":\"No such container: nope\"}",
     NULL                                                                                                                                                                                                   },
    {"POST",    "/containers/q1/wait?condition=zz",             NULL,
     "{\"message\":\"invalid condition: \\\"zz\\\"\"}",                                                                                                                           NULL                      },
    {"POST",    "/containers/q1/exec",                          "{\"Cmd\":[\"ls\"],\"Tty\":true,\"User\":\"1\"}",
     " 201 Created",                                                                                                                                                              "exec q1 ls user=1 tty=1;"},
    {"POST",    "/containers/q1/exec",                          "{\"Cmd\":\"ls\"}",
     "cannot unmarshal string into Go struct field ExecOptions.Cmd of type []string",                                                                                             NULL                      },
    {"POST",    "/containers/q1/exec",                          "{\"Cmd\":[]}",                                             "{\"message\":\"No exec command specified\"}",
     NULL                                                                                                                                                                                                   },
    {"POST",    "/exec/e1/resize?h=2&w=3",                      NULL,                                                       " 200 ",                                              "exec resize e1 2x3;"     },
    {"GET",     "/exec/e2/json",                                NULL,                                                       "{\"message\":\"No such exec instance: e2\"}",        NULL                      },
    {"GET",     "/images/nope/json",                            NULL,                                                       "{\"message\":\"No such image: nope:latest\"}",       NULL                      },
    {"POST",    "/images/busybox/tag?repo=a/b&tag=c",           NULL,                                                       " 201 ",                                              "tag busybox a/b:c;"      },
    {"DELETE",  "/images/a/b:c?force=1&noprune=1",              NULL,                                                       "[{\"Untagged\":\"a/b:c\"}]",
     "rmi a/b:c force=1 noprune=1;"                                                                                                                                                                         },
    {"POST",    "/images/create?fromImage=scratch",             NULL,
     "{\"message\":\"'scratch' is a reserved name\"}",                                                                                                                            NULL                      },
    {"GET",     "/images/busybox/get",                          NULL,                                                       "\r\n7\r\nbusybox\r\n0\r\n",                          NULL                      },
    {"GET",     "/images/get?names=nope",                       NULL,                                                       " 404 ",                                              NULL                      },
    {"POST",    "/networks/create",                             "{\"Name\":\"n1\"}",                                        "\",\"Warning\":\"\"}",                               "network n1 driver="      },
    {"POST",    "/networks/create",                             "{}",                                                       "{\"message\":\"invalid name: name is empty\"}",      NULL                      },
    {"DELETE",  "/networks/n1",                                 NULL,                                                       " 204 ",                                              "network rm n1;"          },
    {"GET",     "/networks?filters=%7B%22type%22:[%22x%22]%7D", NULL,
     "{\"message\":\"invalid filter: 'type'='x'\"}",                                                                                                                              NULL                      },
    {"POST",    "/volumes/create",                              "{\"Name\":\"v1\"}",                                        "\"Labels\":null",                                    "volume v1;"              },
    {"POST",    "/volumes/create",                              NULL,                                                       " 201 ",                                              "volume ;"                },
    {"DELETE",  "/volumes/v1?force=1",                          NULL,                                                       " 204 ",                                              "volume rm v1 force=1;"   },
    {"GET",     "/volumes",                                     NULL,                                                       "{\"Volumes\":[],\"Warnings\":null}",                 NULL                      },
    {"PUT",     "/volumes/v1",                                  NULL,
     "volume update only valid for cluster volumes, but swarm is unavailable",                                                                                                    NULL                      },
    {"GET",     "/services",                                    NULL,                                                       " 503 ",                                              NULL                      },
    {"POST",    "/swarm/leave",                                 NULL,                                                       "{\"message\":\"This node is not part of a swarm\"}", NULL                      },
    {"POST",    "/build/prune",                                 NULL,                                                       "{\"CachesDeleted\":null,\"SpaceReclaimed\":0}",      NULL                      },
    {"GET",     "/system/df?type=foo",                          NULL,                                                       "unknown object type: foo",                           NULL                      },
    {"GET",     "/system/df",                                   NULL,                                                       "\"LayersSize\":12,",                                 NULL                      },
    {"GET",     "/containers/q1/checkpoints",                   NULL,                                                       " 501 ",                                              NULL                      },
    {"GET",     "/events?since=10&until=5",                     NULL,
     "{\"message\":\"`since` time (10) cannot be after `until` time (5)\"}",                                                                                                      NULL                      },
    {"GET",     "/ballast/apps",                                NULL,                                                       "[{\"name\":\"shop\"}]",                              NULL                      },
    {"GET",     "/ballast/apps/shop",                           NULL,                                                       "{\"name\":\"shop\"}",                                NULL                      },
    {"GET",     "/v1.51/ballast/apps/nope",                     NULL,                                                       " 404 ",                                              NULL                      },
    {"DELETE",  "/ballast/apps/shop",                           NULL,                                                       " 204 ",                                              "app rm shop;"            },
    {"POST",    "/ballast/apps/shop/suspend",                   NULL,                                                       " 204 ",                                              "app suspend shop 1;"     },
    {"POST",    "/ballast/apps/shop/resume",                    NULL,                                                       " 204 ",                                              "app suspend shop 0;"     },
    {"GET",     "/ballast/apps/shop/wait?timeout=5",            NULL,                                                       "{\"name\":\"shop\"}",
     "app wait shop 5000;"                                                                                                                                                                                  },
    {"POST",    "/ballast/rescan",                              NULL,                                                       " 501 ",                                              NULL                      },
    {"GET",     "/ballast/doctor",                              NULL,
     "{\"feature\":\"cgroup v2\",\"state\":\"missing\",\"off\":\"memory limits\"}",                                                                                               NULL                      },
    {"POST",    "/ballast/apply",                               "{\"name\":\"shop\",\"files\":[\"/a.yaml\"]}",
     "{\"name\":\"shop\",\"revision\":\"r1\"}",                                                                                                                                   "app put shop source=cli;"},
    {"POST",    "/ballast/plan",                                "{\"env\":{\"NAME\":\"fromenv\"},\"files\":[\"/a.yaml\"]}",
     "{\"name\":\"fromenv\",\"revision\":\"r1\",\"ops\":[],\"notices\":[]}",                                                                                                      "app plan fromenv;"       },
    {"POST",    "/ballast/plan",                                "{\"files\":[\"/bad.yaml\"]}",
     "{\"message\":\"bad.yaml:3:5: unknown key\"}",                                                                                                                               NULL                      },
    {"POST",    "/ballast/apply",                               "{}",                                                       "no file was named",                                  NULL                      },
};

static void requests_reach_the_engine_and_its_words_the_client(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(simple); i++) {
        const char *a = simple[i].json ? client_ask(&server, simple[i].method, simple[i].target,
                                                    JSON_TYPE, simple[i].json)
                                       : ask(simple[i].method, simple[i].target);

        if (!strstr(a, simple[i].answer))
            fail_msg("%s %s: no \"%s\" in: %s", simple[i].method, simple[i].target,
                     simple[i].answer, a);
        if (simple[i].call && !fake_called(server.g, simple[i].call))
            fail_msg("%s %s: no call \"%s\" in: %s", simple[i].method, simple[i].target,
                     simple[i].call, server.g->calls);
        mutex_lock(&server.g->lock);
        server.g->calls[0] = '\0';
        mutex_unlock(&server.g->lock);
    }
}

static void errors_of_the_engine_become_statuses(void **state)
{
    (void)state;
    fake_fail(server.g, ERR_NOT_MODIFIED, "running");
    assert_true(str_ends(ask("POST", "/containers/q1/start"), "\r\n\r\n"));
    fake_fail(server.g, ERR_CONFLICT, "is in use");
    assert_has(ask("DELETE", "/volumes/v1"), " 409 ");
    fake_fail(server.g, ERR_INTERNAL, "Container x is not paused");
    assert_has(ask("POST", "/containers/q1/unpause"), " 500 ");
}

static void a_command_that_cannot_be_executed_is_the_callers_mistake(void **state)
{
    const char *a;

    (void)state;
    fake_fail(server.g, ERR_NOT_FOUND,
              "failed to create task for container: failed to create shim task: OCI runtime create "
              "failed: runc create failed: unable to start container process: exec: \"/x\": stat "
              "/x: no such file or directory");
    a = ask("POST", "/containers/q1/start");
    assert_has(a, " 400 ");
    assert_has(a, "process: exec: \\\"/x\\\": stat /x: no such file or directory\"}");
    fake_fail(server.g, ERR_NOT_FOUND, "network n1 not found");
    a = ask("POST", "/containers/q1/start");
    assert_has(a, " 404 ");
    assert_has(a, "{\"message\":\"network n1 not found\"}");
}

/* ------------------------------------------------------------ streaming */

static bool is_waiting(void *arg)
{
    (void)arg;
    return fake_waiting(server.g) > 0;
}

static bool is_not_waiting(void *arg)
{
    (void)arg;
    return fake_waiting(server.g) == 0;
}

static int begin(const char *method, const char *target)
{
    cleanup_free char *text = str_printf("%s %s HTTP/1.1\r\nHost: d\r\n\r\n", method, target);
    int fd = client_connect(&server);

    client_send(fd, text);
    return fd;
}

static void wait_sends_its_head_before_it_waits(void **state)
{
    int fd = begin("POST", "/containers/q1/wait?condition=next-exit");

    (void)state;
    assert_has(client_receive(fd, "\r\n\r\n"), "Transfer-Encoding: chunked");
    assert_true(soon(is_waiting, NULL));
    assert_true(fake_called(server.g, "wait q1 1;"));
    fake_exit(server.g, 7);
    assert_has(client_receive(fd, "0\r\n\r\n"), "{\"StatusCode\":7}\n");
    client_send(fd, "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n");
    client_receive(fd, "OK");
    close(fd);
}

static void a_vanished_client_ends_its_waiting(void **state)
{
    static const char *const targets[][2] = {
        {"POST", "/containers/q1/wait"                  },
        {"GET",  "/containers/q1/logs?follow=1&stdout=1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        int fd = begin(targets[i][0], targets[i][1]);

        client_receive(fd, "\r\n\r\n");
        assert_true(soon(is_waiting, NULL));
        close(fd);
        assert_true(soon(is_not_waiting, NULL));
    }
}

static void a_half_closed_client_still_gets_its_answer(void **state)
{
    int fd = begin("POST", "/containers/q1/wait");

    (void)state;
    shutdown(fd, SHUT_WR);
    client_receive(fd, "\r\n\r\n");
    assert_true(soon(is_waiting, NULL));
    time_sleep_ms(50);
    assert_true(is_waiting(NULL));
    fake_exit(server.g, 0);
    assert_has(client_receive(fd, NULL), "{\"StatusCode\":0}");
    close(fd);
}

static void waiting_requests_end_with_the_agent(void **state)
{
    int a = begin("POST", "/containers/q1/wait"), b = begin("GET", "/events");
    int64_t before;

    (void)state;
    client_receive(a, "\r\n\r\n");
    client_receive(b, "\r\n\r\n");
    before = time_mono_ms();
    api_close(server.api, 5000);
    server.api = NULL;
    assert_true(time_mono_ms() - before < 2000);
    close(a);
    close(b);
}

static void logs_are_framed_and_stamped(void **state)
{
    static struct log_line lines[] = {
        {.unix_ns = 42912, .bytes = "out", .len = 3           },
        { .unix_ns = 1000000000, .bytes = "part",       .len = 4,     .partial = true},
        { .unix_ns = 0,  .bytes = "err",       .len = 3, .from_stderr = true},
    };
    int fd;

    (void)state;
    memcpy(server.g->lines, lines, sizeof(lines));
    server.g->n_lines = 3;
    fd = begin("GET", "/containers/q1/logs?stdout=1&stderr=1");
    {
        const char *a = client_receive(fd, "\r\n\r\n");

        assert_has(a, "Content-Type: application/vnd.docker.multiplexed-stream\r\n");
    }
    close(fd);
    q1->spec->tty = true;
    assert_has(ask("GET", "/containers/q1/logs?stdout=1&stderr=1"), "out\nparterr\n");
    assert_has(ask("GET", "/containers/q1/logs?stdout=1"), "application/vnd.docker.raw-stream");
    assert_has(ask("GET", "/containers/q1/logs?stdout=1&timestamps=1&details=1"),
               "1970-01-01T00:00:00.000042912Z  out\n");
    assert_has(ask("GET", "/containers/q1/logs?stderr=1&timestamps=1"),
               "1970-01-01T00:00:00.000000000Z err\n");
    q1->spec->tty = false;
    assert_has(ask("GET", "/v1.41/containers/q1/logs?stdout=1"),
               "application/vnd.docker.raw-stream");
    str_set(&q1->spec->log_driver, "none");
    assert_has(ask("GET", "/containers/q1/logs?stdout=1"),
               "{\"message\":\"configured logging driver does not support reading\"}");
}

static void events_come_one_by_one(void **state)
{
    int fd = begin("GET", "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D");

    (void)state;
    assert_has(client_receive(fd, "\r\n\r\n"), "Content-Type: application/json\r\n");
    fake_event(server.g, "network", "create", "n1", "n1");
    fake_event(server.g, "container", "start", ID, "q1");
    {
        const char *a = client_receive(fd, "\n\r\n");

        assert_has(a, "{\"status\":\"start\",\"id\":\"" ID "\"");
        assert_has_not(a, "network");
    }
    close(fd);
    for (int i = 0; i < 500 && fake_subscribers(server.g) > 0; i++)
        time_sleep_ms(10);
    assert_int_equal(fake_subscribers(server.g), 0);
}

static void event_filters_are_mobys(void **state)
{
    static const struct {
        const char *filter;
        bool container, image;
    } rows[] = {
        {"{}",                                       true,  true },
        {"{\"container\":[\"q1\"]}",                 true,  false},
        {"{\"container\":[\"1111\"]}",               true,  false},
        {"{\"container\":[\"zz\"]}",                 false, false},
        {"{\"image\":[\"busybox\"]}",                true,  true },
        {"{\"image\":[\"busybox:latest\"]}",         false, true },
        {"{\"event\":[\"pull\"]}",                   false, true },
        {"{\"label\":[\"a=b\"]}",                    true,  false},
        {"{\"type\":[\"image\"],\"event\":[\"x\"]}", false, false},
        {"{\"event\":[\"exec_create\"]}",            false, false},
    };
    struct event ev;

    (void)state;
    str_set(&q1->spec->image, "busybox");
    kvs_set(&q1->spec->labels, "a", "b");
    event_for_container(&ev, "die", q1, NULL);
    ev.time_ns = 5000000000;
    engine_event(server.g, &ev);
    event_init(&ev, "image", "pull", "busybox:latest");
    kvs_set(&ev.attributes, "name", "busybox");
    ev.time_ns = 5000000000;
    engine_event(server.g, &ev);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_buf struct buf target = BUF_INIT(4096);
        const char *a;

        buf_addf(&target, "/events?since=1&until=10&filters=");
        http_escape(&target, rows[i].filter);
        a = ask("GET", target.data);
        if ((strstr(a, "\"die\"") != NULL) != rows[i].container ||
            (strstr(a, "\"pull\"") != NULL) != rows[i].image)
            fail_msg("%s: %s", rows[i].filter, a);
    }
}

/* ------------------------------------------------------- pull and load */

static void pull_reports_line_by_line(void **state)
{
    const char *a = client_ask(&server, "POST",
                               "/images/create?fromImage=library/x&tag=latest&platform=linux/arm64",
                               "X-Registry-Auth: e30=\r\n", NULL);

    (void)state;
    assert_true(fake_called(server.g, "pull x:latest platform=linux/arm64 auth=e30=;"));
    assert_has(a, "{\"status\":\"Pulling from library/x\",\"id\":\"latest\"}\r\n");
    assert_has(a, "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":5,\"total\":10},"
                  "\"id\":\"0123456789ab\"}\r\n");
    assert_has(a, "{\"status\":\"Status: Downloaded newer image for x:latest\"}\r\n");
    mutex_lock(&server.g->lock);
    assert_string_equal(server.g->events[0].action, "pull");
    assert_string_equal(server.g->events[0].id, "x:latest");
    assert_string_equal(kvs_get(&server.g->events[0].attributes, "name"), "x");
    mutex_unlock(&server.g->lock);
}

static void a_pull_fails_by_status_first_and_in_the_stream_later(void **state)
{
    const char *a;

    (void)state;
    fake_fail(server.g, ERR_NOT_FOUND, "manifest unknown");
    a = ask("POST", "/images/create?fromImage=x&tag=sha256:"
                    "1111111111111111111111111111111111111111111111111111111111111111");
    assert_has(a, " 404 ");
    assert_true(fake_called(server.g, "pull x@sha256:1111"));
    server.g->pull_fails_late = true;
    a = ask("POST", "/images/create?fromImage=x");
    assert_has(a, " 200 OK");
    assert_has(a, "{\"errorDetail\":{\"message\":\"the registry went away\"},\"error\":\"the "
                  "registry went away\"}\r\n");
    assert_has(a, "0\r\n\r\n");
}

static void a_vanished_client_ends_its_pull(void **state)
{
    int fd;

    (void)state;
    server.g->pull_blocks = true;
    fd = begin("POST", "/images/create?fromImage=x");
    client_receive(fd, "Downloading");
    assert_true(soon(is_waiting, NULL));
    close(fd);
    assert_true(soon(is_not_waiting, NULL));
}

static void load_answers_while_it_reads(void **state)
{
    int fd = client_connect(&server);

    (void)state;
    client_send(fd, "POST /images/load HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n"
                    "Content-Type: application/x-tar\r\n\r\n");
    client_receive(fd, "{\"stream\":\"Loading\\n\"}\r\n");
    client_send(fd, "3\r\ntar\r\n0\r\n\r\n");
    client_receive(fd, "0\r\n\r\n");
    assert_string_equal(server.g->loaded, "tar");
    close(fd);
}

/* ----------------------------------------------------------------- lists */

static void container_lists_are_filtered(void **state)
{
    static const struct {
        const char *query, *filter;
        const char *names; /* in order */
    } rows[] = {
        {"",        "{}",                           "q1 "      },
        {"all=1",   "{}",                           "q1 q2 q3 "},
        {"limit=2", "{}",                           "q1 q2 "   },
        {"",        "{\"status\":[\"exited\"]}",    "q2 "      },
        {"all=1",   "{\"name\":[\"^/q[12]$\"]}",    "q1 q2 "   },
        {"all=1",   "{\"label\":[\"a=b\",\"c\"]}",  "q2 "      },
        {"all=1",   "{\"id\":[\"22\",\"33\"]}",     "q2 q3 "   },
        {"all=1",   "{\"exited\":[\"3\"]}",         "q2 "      },
        {"all=1",   "{\"before\":[\"q1\"]}",        "q3 "      },
        {"all=1",   "{\"since\":[\"q3\"]}",         "q1 q2 "   },
        {"all=1",   "{\"ancestor\":[\"busybox\"]}", "q1 q2 q3 "},
        {"all=1",   "{\"ancestor\":[\"nope\"]}",    ""         },
        {"all=1",   "{\"network\":[\"n9\"]}",       "q3 "      },
        {"all=1",   "{\"expose\":[\"90/tcp\"]}",    "q3 "      },
        {"all=1",   "{\"expose\":[\"80-95/tcp\"]}", "q3 "      },
        {"all=1",   "{\"publish\":[\"80\"]}",       ""         },
        {"all=1",   "{\"health\":[\"none\"]}",      "q1 q2 q3 "},
        {"all=1",   "{\"is-task\":[\"true\"]}",     ""         },
        {"all=1",   "{\"volume\":[\"/d\"]}",        ""         },
    };
    struct container *q2 =
        fake_container(server.g, "2222222222222222222222222222222222222222222222222222222222222222",
                       "q2", STATUS_EXITED);
    struct container *q3 =
        fake_container(server.g, "3333333333333333333333333333333333333333333333333333333333333333",
                       "q3", STATUS_CREATED);

    (void)state;
    q2->state.exit_code = 3;
    kvs_set(&q2->spec->labels, "a", "b");
    kvs_set(&q2->spec->labels, "c", "");
    kvs_set(&q3->spec->labels, "a", "b");
    q3->created_ns = 1;
    str_set(&q3->spec->network_mode, "n9");
    q3->spec->exposed = xcalloc(1, sizeof(*q3->spec->exposed));
    q3->spec->exposed[0].port = 90;
    q3->spec->n_exposed = 1;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_buf struct buf target = BUF_INIT(4096), names = BUF_INIT(4096);
        const char *at;

        buf_addf(&target, "/containers/json?%s&filters=", rows[i].query);
        http_escape(&target, rows[i].filter);
        at = ask("GET", target.data);
        while ((at = strstr(at, "\"Names\":[\"/")) != NULL) {
            at += strlen("\"Names\":[\"/");
            buf_addf(&names, "%.*s ", (int)strcspn(at, "\""), at);
        }
        if (strcmp(names.data, rows[i].names) != 0)
            fail_msg("%s %s: %s", rows[i].query, rows[i].filter, names.data);
    }
}

static void bad_list_filters_are_refused_in_dockers_words(void **state)
{
    static const char *const rows[][2] = {
        {"{\"foo\":[\"x\"]}",       "invalid filter 'foo'"                           },
        {"{\"status\":[\"foo\"]}",
         "invalid filter 'status=foo': invalid value for state (foo): must be one of created, "
         "running, paused, restarting, removing, exited, dead"                       },
        {"{\"exited\":[\"x\"]}",
         "invalid filter 'exited=x': strconv.Atoi: parsing \\\"x\\\": invalid syntax"},
        {"{\"health\":[\"zz\"]}",
         "invalid filter 'health=zz': invalid value for health (zz): must be one of none, "
         "starting, healthy, unhealthy"                                              },
        {"{\"is-task\":[\"x\"]}",   "invalid filter 'is-task=[x]'"                   },
        {"{\"before\":[\"nope\"]}", "No such container: nope"                        },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_buf struct buf target = BUF_INIT(4096);
        cleanup_free char *want = str_printf("{\"message\":\"%s\"}\n", rows[i][1]);

        buf_addf(&target, "/containers/json?filters=");
        http_escape(&target, rows[i][0]);
        assert_has(ask("GET", target.data), want);
    }
}

static void prunes_spare_what_is_used_or_owned(void **state)
{
    struct container *owned =
        fake_container(server.g, "3333333333333333333333333333333333333333333333333333333333333333",
                       "owned", STATUS_EXITED);

    (void)state;
    fake_container(server.g, "2222222222222222222222222222222222222222222222222222222222222222",
                   "done", STATUS_EXITED);
    str_set(&owned->app, "shop");
    str_set(&fake_volume(server.g, "shop_data")->app, "shop");
    str_set(&fake_volume(server.g, "named")->app, "an app that has gone");
    kvs_set(&fake_volume(server.g, "anon")->labels, "com.docker.volume.anonymous", "");
    fake_network(server.g, "n1", "n1");
    fake_network(server.g, "n2", "bridge")->predefined = true;
    assert_has(
        ask("POST", "/containers/prune"),
        "{\"ContainersDeleted\":[\"2222222222222222222222222222222222222222222222222222222222"
        "222222\"],\"SpaceReclaimed\":5}");
    assert_has(ask("POST", "/volumes/prune"), "{\"VolumesDeleted\":[\"anon\"],");
    assert_has(ask("POST", "/v1.41/volumes/prune"), "{\"VolumesDeleted\":[\"named\",\"anon\"],");
    assert_has(ask("POST", "/volumes/prune?filters=%7B%22all%22:[%22true%22]%7D"),
               "{\"VolumesDeleted\":[\"named\",\"anon\"],");
    assert_has(ask("POST", "/networks/prune"), "{\"NetworksDeleted\":[\"n1\"]}");
    assert_has(ask("POST", "/images/prune"), "{\"ImagesDeleted\":null,\"SpaceReclaimed\":0}");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(requests_reach_the_engine_and_its_words_the_client),
        TEST(errors_of_the_engine_become_statuses),
        TEST(a_command_that_cannot_be_executed_is_the_callers_mistake),
        TEST(wait_sends_its_head_before_it_waits),
        TEST(a_vanished_client_ends_its_waiting),
        TEST(a_half_closed_client_still_gets_its_answer),
        TEST(waiting_requests_end_with_the_agent),
        TEST(logs_are_framed_and_stamped),
        TEST(events_come_one_by_one),
        TEST(event_filters_are_mobys),
        TEST(pull_reports_line_by_line),
        TEST(a_pull_fails_by_status_first_and_in_the_stream_later),
        TEST(a_vanished_client_ends_its_pull),
        TEST(load_answers_while_it_reads),
        TEST(container_lists_are_filtered),
        TEST(bad_list_filters_are_refused_in_dockers_words),
        TEST(prunes_spare_what_is_used_or_owned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
