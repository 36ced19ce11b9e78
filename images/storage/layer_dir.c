/* layer_dir: see layer_dir.h. */
#include "images/storage/layer_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"
#include "images/remove_at.h"

#define SHORT_LEN 24

static char *temp_dir(const char *root)
{
    unsigned char rnd[8];

    random_bytes(rnd, sizeof(rnd));
    return str_printf("%s/tmp/%02x%02x%02x%02x%02x%02x%02x%02x", root, rnd[0], rnd[1], rnd[2],
                      rnd[3], rnd[4], rnd[5], rnd[6], rnd[7]);
}

static int remove_path(const char *path, struct err *e)
{
    cleanup_free char *dir = path_dir(path);
    cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? 0 : err_os(e, errno, "cannot open %s", dir);
    return remove_at(fd, path_base(path), e);
}

/* Moves it out of sight first, so that half a removal is never taken for the whole thing. */
static int remove_via_temp(const char *root, const char *path, struct err *e)
{
    cleanup_free char *tmp = temp_dir(root);
    cleanup_free char *parent = path_join(root, "tmp");

    if (fs_mkdir_p(parent, 0700, e))
        return -1;
    if (rename(path, tmp))
        return errno == ENOENT ? 0 : err_os(e, errno, "cannot remove %s", path);
    if (FAULT("layer.remove"))
        return err_set(e, ERR_IO, "injected: layer.remove");
    return remove_path(tmp, e);
}

char *layer_dir_path(const char *root, const char *chain_id)
{
    return str_printf("%s/%s/diff", root, digest_hex(chain_id));
}

char *layer_dir_link(const char *root, const char *chain_id)
{
    return str_printf("%s/l/%.*s", root, SHORT_LEN, digest_hex(chain_id));
}

bool layer_dir_has(const char *root, const char *chain_id)
{
    cleanup_free char *diff = layer_dir_path(root, chain_id);

    return fs_is_dir(diff);
}

static int make_link(const char *root, const char *chain_id, struct err *e)
{
    cleanup_free char *dir = path_join(root, "l");
    cleanup_free char *link = layer_dir_link(root, chain_id);
    cleanup_free char *target = str_printf("../%s/diff", digest_hex(chain_id));
    char now[PATH_MAX];
    ssize_t n;

    if (fs_mkdir_p(dir, 0700, e))
        return -1;
    if (!symlink(target, link))
        return 0;
    if (errno != EEXIST)
        return err_os(e, errno, "cannot make link %s", link);
    n = readlink(link, now, sizeof(now) - 1);
    now[n > 0 ? n : 0] = '\0';
    if (!str_eq(now, target))
        return err_set(e, ERR_CONFLICT, "%s belongs to another layer", link);
    return 0;
}

static int fill_temp(const char *tmp, layer_fill_fn *fill, void *arg, struct err *e)
{
    cleanup_free char *diff = path_join(tmp, "diff");
    cleanup_fd int fd = -1;

    if (fs_mkdir_p(tmp, 0711, e))
        return -1;
    if (mkdir(diff, 0755) || chmod(diff, 0755))
        return err_os(e, errno, "cannot make %s", diff);
    fd = open(diff, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_os(e, errno, "cannot open %s", diff);
    return fill(arg, fd, e);
}

int layer_dir_ensure(const char *root, const char *chain_id, layer_fill_fn *fill, void *arg,
                     struct err *e)
{
    cleanup_free char *tmp = temp_dir(root);
    cleanup_free char *final = path_join(root, digest_hex(chain_id));
    int rc;

    if (layer_dir_has(root, chain_id))
        return make_link(root, chain_id, e);
    rc = fill_temp(tmp, fill, arg, e) || make_link(root, chain_id, e) ? -1 : 0;
    if (rc == 0 && FAULT("layer.commit"))
        rc = err_set(e, ERR_IO, "injected: layer.commit");
    /* There already means that another one was faster: its files are the same. */
    if (rc == 0 && rename(tmp, final) && errno != EEXIST && errno != ENOTEMPTY)
        rc = err_os(e, errno, "cannot put layer %s in its place", chain_id);
    return remove_path(tmp, rc ? ERR_IGNORE : e) || rc ? -1 : 0;
}

int layer_dir_remove(const char *root, const char *chain_id, struct err *e)
{
    cleanup_free char *dir = path_join(root, digest_hex(chain_id));
    cleanup_free char *link = layer_dir_link(root, chain_id);

    if (remove_via_temp(root, dir, e))
        return -1;
    return fs_remove(link, e);
}

char *rw_dir_path(const char *root, const char *id)
{
    return str_printf("%s/rw/%s", root, id);
}

int rw_dir_remove(const char *root, const char *id, struct err *e)
{
    cleanup_free char *dir = rw_dir_path(root, id);

    return remove_via_temp(root, dir, e);
}
