/* Archives, changes, export and commit over the wire. */
#include "tests/unit/api/raw_client.h"

#define ID "1111111111111111111111111111111111111111111111111111111111111111"

static struct server server;

static int start(void **state)
{
    (void)state;
    server_start(&server);
    fake_container(server.g, ID, "q1", STATUS_RUNNING);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static const struct {
    const char *method, *target, *json, *answer, *call;
} rows[] = {
    {"HEAD", "/containers/q1/archive?path=/f",                                        NULL,
     "X-Docker-Container-Path-Stat: "
     "eyJuYW1lIjoiZiIsInNpemUiOjMsIm1vZGUiOjQyMCwibXRpbWUiOiIxOTcwLTAx"
     "LTAxVDAwOjE2OjQwWiIsImxpbmtUYXJnZXQiOiIifQ==\r\n",                                                                                                                 "stat q1 /f;"                            },
    {"HEAD", "/containers/q1/archive",                                                NULL,                   " 400 Bad Request",                                        NULL                                     },
    {"GET",  "/containers/q1/archive?path=",                                          NULL,
     "{\"message\":\"bad parameter: pathcannot be empty\"}",                                                                                                             NULL                                     },
    {"GET",  "/containers/q1/archive?path=%2Fa%20b",                                  NULL,                   "Content-Type: application/x-tar\r\n",
     "stat q1 /a b;"                                                                                                                                                                                              },
    {"GET",  "/containers/q1/archive?path=/f",                                        NULL,                   "\r\n3\r\ntar\r\n0\r\n",                                   "stat q1 /f;"                            },
    {"PUT",  "/containers/q1/archive?path=/d",                                        "body",                 " 200 OK",
     "extract q1 /d kinds=0 ids=0 body;"                                                                                                                                                                          },
    {"PUT",  "/containers/q1/archive?path=/d&noOverwriteDirNonDir=true&copyUIDGID=1", "body",
     " 200 OK",                                                                                                                                                          "extract q1 /d kinds=1 ids=1 body;"      },
    {"GET",  "/containers/q1/export",                                                 NULL,                   "Content-Type: application/octet-stream\r\n",
     "export q1;"                                                                                                                                                                                                 },
    {"GET",  "/containers/q1/changes",                                                NULL,                   "[{\"Path\":\"/etc/x\",\"Kind\":2}]\n",                    "changes q1;"                            },
    {"GET",  "/containers/same/changes",                                              NULL,                   "\r\n\r\nnull\n",                                          "changes same;"                          },
    {"POST", "/commit?container=q1&repo=a&tag=b",                                     NULL,                   " 201 Created",
     "commit q1 a:b pause=1 changes=0 cmd=-;"                                                                                                                                                                     },
    {"POST", "/commit?container=q1&pause=0&changes=CMD+x&changes=ENV+a%3Db",          "{\"Cmd\":[\"true\"]}",
     "{\"Id\":\"sha256:aaaa",                                                                                                                                            "commit q1 : pause=0 changes=2 cmd=true;"},
    {"POST", "/commit?container=q1&pause=",                                           "null",                 " 201 ",                                                   "pause=1 changes=0 cmd=-;"               },
    {"POST", "/commit",                                                               NULL,                   "{\"message\":\"invalid name or ID supplied: \\\"\\\"\"}", NULL                                     },
    {"POST", "/commit?container=q1",                                                  "{\"Cmd\":1}",          " 400 ",                                                   NULL                                     },
};

static void requests_reach_the_engine_and_come_back_as_docker_has_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = client_ask(&server, rows[i].method, rows[i].target,
                                     rows[i].json ? JSON_TYPE : NULL, rows[i].json);

        if (!strstr(got, rows[i].answer))
            fail_msg("%s %s\nwant: %s\ngot:  %s", rows[i].method, rows[i].target, rows[i].answer,
                     got);
        if (rows[i].call && !fake_called(server.g, rows[i].call))
            fail_msg("%s %s: not called: %s", rows[i].method, rows[i].target, rows[i].call);
    }
}

static void what_the_engine_refuses_is_an_answer_and_not_half_an_archive(void **state)
{
    static const char *const targets[] = {"/containers/q1/archive?path=/x", "/containers/q1/export",
                                          "/containers/q1/changes"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        const char *got;

        fake_fail(server.g, ERR_NOT_FOUND, "Could not find the file /x in container q1");
        got = client_ask(&server, "GET", targets[i], NULL, NULL);
        if (!strstr(got, " 404 ") || !strstr(got, "{\"message\":\"Could not find the file"))
            fail_msg("%s: %s", targets[i], got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_reach_the_engine_and_come_back_as_docker_has_them,
                                        start, stop),
        cmocka_unit_test_setup_teardown(
            what_the_engine_refuses_is_an_answer_and_not_half_an_archive, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
