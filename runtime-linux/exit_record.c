/* exit_record: see exit_record.h. */
#include "runtime-linux/exit_record.h"

#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"

#define EXIT_FILE "exit.json"
#define EXIT_MAX  4096

int exit_record_write(const char *data_dir, const struct exit_record *r, bool durable,
                      struct err *e)
{
    cleanup_free char *path = path_join(data_dir, EXIT_FILE);
    cleanup_buf struct buf json = BUF_INIT(EXIT_MAX);
    struct jsonw w = JSONW_INIT(&json);

    jsonw_obj(&w);
    jsonw_ki64(&w, "exit_code", r->exit_code);
    jsonw_kbool(&w, "oom_killed", r->oom_killed);
    jsonw_kbool(&w, "lost", r->lost);
    jsonw_ki64(&w, "ooms", r->ooms);
    jsonw_ki64(&w, "started_ns", r->started_ns);
    jsonw_ki64(&w, "finished_ns", r->finished_ns);
    jsonw_end_obj(&w);
    buf_add(&json, "\n", 1);
    return fs_write_atomic(path, json.data, json.len, 0600, durable, e);
}

int exit_record_read(const char *data_dir, struct exit_record *out, struct err *e)
{
    cleanup_free char *path = path_join(data_dir, EXIT_FILE);
    cleanup_buf struct buf text = BUF_INIT(EXIT_MAX);
    cleanup_json struct json_doc doc = {0};
    struct json root;

    if (fs_read(path, &text, e))
        return -1;
    if (json_parse(text.data, text.len, &doc, e)) {
        err_wrap(e, "%s", path);
        e->kind = ERR_INVALID;
        return -1;
    }
    root = json_root(&doc);
    out->exit_code = (int)json_get_i64(&root, "exit_code");
    out->oom_killed = json_get_bool(&root, "oom_killed");
    out->lost = json_get_bool(&root, "lost");
    out->ooms = json_get_i64(&root, "ooms");
    out->started_ns = json_get_i64(&root, "started_ns");
    out->finished_ns = json_get_i64(&root, "finished_ns");
    return 0;
}

int64_t exit_record_time(const char *data_dir)
{
    cleanup_free char *path = path_join(data_dir, EXIT_FILE);
    struct stat st;

    if (stat(path, &st))
        return time_wall_ns();
    return (int64_t)st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
}

int exit_record_remove(const char *data_dir, struct err *e)
{
    cleanup_free char *path = path_join(data_dir, EXIT_FILE);

    return fs_remove(path, e);
}
