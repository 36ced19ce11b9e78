/*
 * cp: files between a container and here, as docker cp means it.
 *
 * The agent speaks tar; here the system's `tar` program, which every platform has, packs and
 * unpacks.  It refuses names that lead out of its directory, also through links that the archive
 * itself has brought, which matters because a container chooses what is in it.  What is to get
 * another name is unpacked beside its place first, and moved there whole.
 */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/process.h"
#include "cli/files.h"
#include "cli/term.h"

struct cp_options {
    bool archive, follow, quiet;
};

/* CONTAINER:PATH, or a path here.  "./a:b" and "/a:b" are paths. */
struct place {
    char *container; /* NULL: here */
    const char *path;
};

static struct place place_of(const char *text)
{
    const char *colon = strchr(text, ':');
    bool local = !colon || colon == text || text[0] == '.' || text[0] == '/' ||
                 (colon == text + 1 && (colon[1] == '\\' || colon[1] == '/')); /* C:\x */

    if (local)
        return (struct place){NULL, text};
    return (struct place){str_ndup(text, (size_t)(colon - text)), colon + 1};
}

static bool is_contents(const char *path)
{
    return str_eq(path, ".") || str_ends(path, "/.");
}

/* The last component, without slashes after it. */
static char *last_of(const char *path)
{
    cleanup_free char *clean = path_clean(path);

    return xstrdup(path_base(clean));
}

/* ------------------------------------------------------------------ what is there */

struct there {
    bool exists, is_dir;
    char *link; /* where it leads; NULL: it is no link */
};

static void archive_target(struct target *t, const char *container, const char *path)
{
    target_init(t, "/containers/");
    target_path(t, container);
    target_text(t, "/archive");
    target_add(t, "path", path);
}

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static void base64_decode(const char *text, struct buf *out)
{
    unsigned bits = 0, n = 0;

    for (; base64_value(*text) >= 0; text++) {
        bits = bits << 6 | (unsigned)base64_value(*text);
        n += 6;
        if (n >= 8) {
            char byte = (char)(bits >> (n -= 8));

            buf_add(out, &byte, 1);
        }
    }
}

static int read_stat(const struct reply *r, struct there *out, struct err *e)
{
    const char *header = http_header(&r->head, "X-Docker-Container-Path-Stat");
    cleanup_buf struct buf text = BUF_INIT(HTTP_HEAD_MAX);
    cleanup_json struct json_doc doc = {0};

    base64_decode(header ? header : "", &text);
    if (json_parse(text.data, text.len, &doc, e))
        return err_wrap(e, "the agent's answer");
    struct json root = json_root(&doc);
    const char *link = json_get_str(&root, "linkTarget");

    out->exists = true;
    out->is_dir = json_get_i64(&root, "mode") & 1LL << 31;
    out->link = *link ? xstrdup(link) : NULL;
    return 0;
}

static int look(struct cli *cli, const char *container, const char *path, struct there *out,
                struct err *e)
{
    cleanup_reply struct reply r = {0};
    cleanup_target struct target t = {0};
    struct err why = ERR_INIT;

    *out = (struct there){0};
    archive_target(&t, container, path);
    if (!client_send(cli, "HEAD", &t, NULL, &r, &why))
        return read_stat(&r, out, e);
    if (why.kind == ERR_NOT_FOUND)
        return 0;
    *e = why;
    return -1;
}

/* Follows a link at the end, once: the agent has followed it to its end. */
static int look_through(struct cli *cli, const char *container, char **path, struct there *out,
                        struct err *e)
{
    if (look(cli, container, *path, out, e))
        return -1;
    if (!out->link)
        return 0;
    str_set(path, out->link);
    free(out->link);
    return look(cli, container, *path, out, e);
}

/* ------------------------------------------------------------------ the tar program */

/* Beside `path`, or below the system's temporary directory. */
static char *make_scratch(const char *beside, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    unsigned char rnd[6];
    char *dir;

    if (str_empty(tmp))
        tmp = getenv("TEMP");
    random_bytes(rnd, sizeof(rnd));
    dir = str_printf("%s/.ballast-cp-%02x%02x%02x%02x%02x%02x",
                     beside            ? beside
                     : !str_empty(tmp) ? tmp
                                       : "/tmp",
                     rnd[0], rnd[1], rnd[2], rnd[3], rnd[4], rnd[5]);
    if (fs_mkdir_p(dir, 0700, e)) {
        free(dir);
        return NULL;
    }
    return dir;
}

struct tar {
    struct process process;
    int fd; /* our end of the pipe */
};

static int tar_start(struct tar *t, const struct strv *args, bool unpack, struct err *e)
{
    int fds[2];
    struct process_fd inherit[2] = {
        {0, unpack ? 0 : 1},
        {2, 2             }
    };
    struct process_opts opts = {.argv = (const char *const *)args->v, .fds = inherit, .n_fds = 2};
    int rc;

    if (term_pipe(fds, e))
        return -1;
    inherit[0].from = fds[unpack ? 0 : 1];
    t->fd = fds[unpack ? 1 : 0];
    rc = process_spawn(&opts, &t->process, e);
    term_close_file(inherit[0].from);
    if (rc)
        term_close_file(t->fd);
    return rc;
}

static int tar_end(struct tar *t, struct cli *cli, struct err *e)
{
    int code = 0;

    term_close_file(t->fd);
    if (process_wait(&t->process, cli->cancel, &code, e))
        return -1;
    return code ? err_set(e, ERR_IO, "tar ended with code %d", code) : 0;
}

/* ------------------------------------------------------------------ out of a container */

static int unpack_into(struct cli *cli, struct reply *r, const char *dir, bool archive,
                       struct err *e)
{
    cleanup_strv struct strv args = {0};
    struct tar tar;
    int rc;

    strv_add(&args, "tar");
    strv_add(&args, archive ? "-xpf" : "-xopf"); /* o: what is unpacked is ours */
    strv_add(&args, "-");
    strv_add(&args, "-C");
    strv_add(&args, dir);
    if (tar_start(&tar, &args, true, e))
        return -1;
    rc = files_receive(r, tar.fd, e);
    return tar_end(&tar, cli, rc ? ERR_IGNORE : e) || rc ? -1 : 0;
}

/* Unpacks beside the place and moves the one thing that came there. */
static int unpack_as(struct cli *cli, struct reply *r, const char *path, bool archive,
                     struct err *e)
{
    cleanup_free char *clean = path_clean(path), *parent = path_dir(clean);
    cleanup_free char *scratch = fs_is_dir(parent) ? make_scratch(parent, e) : NULL;
    cleanup_free char *made = NULL;
    cleanup_strv struct strv names = {0};
    int rc;

    if (!scratch)
        return fs_is_dir(parent) ? -1 : err_set(e, ERR_NOT_FOUND, "no such directory: %s", parent);
    rc = unpack_into(cli, r, scratch, archive, e) || fs_list(scratch, &names, e);
    if (!rc && names.n != 1)
        rc = err_set(e, ERR_INVALID, "the archive does not hold one file or directory");
    if (!rc) {
        made = path_join(scratch, names.v[0]);
        rc = fs_rename(made, clean, e);
    }
    return fs_remove_all(scratch, rc ? ERR_IGNORE : e) || rc ? -1 : 0;
}

static int copy_out(struct cli *cli, const struct cp_options *o, const struct place *from,
                    const char *to, struct err *e)
{
    cleanup_free char *path = xstrdup(from->path);
    cleanup_reply struct reply r = {0};
    cleanup_target struct target t = {0};
    struct there src = {0};
    int rc;

    rc = o->follow ? look_through(cli, from->container, &path, &src, e)
                   : look(cli, from->container, path, &src, e);
    free(src.link);
    if (rc)
        return -1;
    archive_target(&t, from->container, path);
    if (client_send(cli, "GET", &t, NULL, &r, e)) /* says, too, when it is not there */
        return -1;
    if (str_eq(to, "-"))
        return files_receive(&r, 1, e);
    if (src.is_dir && is_contents(path)) {
        if (!fs_is_dir(to) && fs_mkdir_p(to, 0755, e))
            return -1;
        return unpack_into(cli, &r, to, o->archive, e);
    }
    if (fs_is_dir(to))
        return unpack_into(cli, &r, to, o->archive, e);
    if (str_ends(to, "/") && !src.is_dir)
        return err_set(e, ERR_NOT_FOUND, "no such directory: %s", to);
    if (fs_exists(to) && src.is_dir)
        return err_set(e, ERR_INVALID, "cannot copy a directory over the file %s", to);
    return unpack_as(cli, &r, to, o->archive, e);
}

/* ------------------------------------------------------------------ into a container */

static int read_tar(void *arg, void *bytes, size_t n, size_t *got, struct err *e)
{
    return term_read_file(*(int *)arg, bytes, n, got, e);
}

static int upload(struct cli *cli, const struct cp_options *o, const char *container,
                  const char *dir, int fd, struct err *e)
{
    cleanup_reply struct reply r = {0};
    cleanup_target struct target t = {0};

    archive_target(&t, container, dir);
    target_add(&t, "noOverwriteDirNonDir", "true");
    target_add(&t, "copyUIDGID", o->archive ? "true" : NULL);
    return client_upload(cli, "PUT", &t, "application/x-tar", read_tar, &fd, &r, e);
}

/* `name` of a directory here goes into a directory there.  deref: name is an alias. */
static int pack_to(struct cli *cli, const struct cp_options *o, const char *here, const char *name,
                   bool deref, const char *container, const char *dir, struct err *e)
{
    cleanup_strv struct strv args = {0};
    struct tar tar;
    int rc;

    strv_add(&args, "tar");
    strv_add(&args, deref ? "-chf" : "-cf");
    strv_add(&args, "-");
    strv_add(&args, "-C");
    strv_add(&args, here);
    strv_add(&args, "--");
    strv_add(&args, name);
    if (tar_start(&tar, &args, false, e))
        return -1;
    rc = upload(cli, o, container, dir, tar.fd, e);
    return tar_end(&tar, cli, rc ? ERR_IGNORE : e) || rc ? -1 : 0;
}

/* A directory is made under its new name first and filled then; a file gets an alias. */
static int pack_as(struct cli *cli, const struct cp_options *o, const char *src,
                   const char *container, const char *path, struct err *e)
{
    cleanup_free char *scratch = make_scratch(NULL, e), *name = last_of(path);
    cleanup_free char *clean = path_clean(path), *dir = path_dir(clean), *alias = NULL;
    bool is_dir = fs_is_dir(src);
    int rc;

    if (!scratch)
        return -1;
    alias = path_join(scratch, name);
    rc = is_dir ? fs_mkdir_p(alias, term_mode(src), e) : term_alias(src, alias, e);
    if (!rc)
        rc = pack_to(cli, o, scratch, name, !is_dir, container, dir, e);
    if (!rc && is_dir)
        rc = pack_to(cli, o, src, ".", false, container, clean, e);
    return fs_remove_all(scratch, rc ? ERR_IGNORE : e) || rc ? -1 : 0;
}

static int copy_in(struct cli *cli, const struct cp_options *o, const char *from,
                   const struct place *to, struct err *e)
{
    cleanup_free char *path = xstrdup(to->path), *clean = path_clean(from);
    cleanup_free char *parent = path_dir(clean), *name = last_of(from);
    struct there dst = {0};
    bool is_dir = fs_is_dir(from);

    if (str_eq(from, "-"))
        return upload(cli, o, to->container, path, 0, e);
    if (!fs_exists(from))
        return err_set(e, ERR_NOT_FOUND, "no such file or directory: %s", from);
    if (look_through(cli, to->container, &path, &dst, e))
        return -1;
    free(dst.link);
    if (!dst.exists && str_ends(path, "/") && !is_dir)
        return err_set(e, ERR_NOT_FOUND, "no such directory: %s:%s", to->container, path);
    if (dst.exists && !dst.is_dir && is_dir)
        return err_set(e, ERR_INVALID, "cannot copy a directory over the file %s:%s", to->container,
                       path);
    if (dst.is_dir && is_dir && is_contents(from))
        return pack_to(cli, o, from, ".", false, to->container, path, e);
    if (dst.is_dir && !o->follow)
        return pack_to(cli, o, parent, name, false, to->container, path, e);
    if (dst.is_dir) {
        cleanup_free char *inside = path_join(path, name);

        return pack_as(cli, o, from, to->container, inside, e);
    }
    return pack_as(cli, o, from, to->container, path, e);
}

static int run_cp(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct cp_options *o = options;
    struct place from = place_of(args->v[0]), to = place_of(args->v[1]);
    int rc;

    if (from.container && to.container)
        rc = err_set(e, ERR_INVALID, "copying between containers is not supported");
    else if (!from.container && !to.container)
        rc = err_set(e, ERR_INVALID, "must specify at least one container source");
    else if (from.container)
        rc = copy_out(cli, o, &from, to.path, e);
    else
        rc = copy_in(cli, o, from.path, &to, e);
    free(from.container);
    free(to.container);
    return rc;
}

#define CP(member) offsetof(struct cp_options, member)
static const struct flag cp_flags[] = {
    {"archive",     'a', FLAG_BOOL, CP(archive), NULL, "keep owners"                       },
    {"follow-link", 'L', FLAG_BOOL, CP(follow),  NULL, "copy what a link at SRC leads to"  },
    {"quiet",       'q', FLAG_BOOL, CP(quiet),   NULL, "for docker's sake; cp says nothing"},
};

const struct command cmd_cp = {
    .name = "cp",
    .usage = "CONTAINER:SRC DEST|-\n        ballast cp [OPTIONS] SRC|- CONTAINER:DEST",
    .summary = "Copy files between a container and here",
    .flags = cp_flags,
    .n_flags = ARRAY_LEN(cp_flags),
    .options_size = sizeof(struct cp_options),
    .min_args = 2,
    .max_args = 2,
    .run = run_cp,
};
