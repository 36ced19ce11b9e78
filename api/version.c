/* version: the range, and the one table of shapes.  See version.h. */
#include "api/version.h"

#include <stdint.h>

#include "base/str.h"

static const struct {
    int since, until; /* holds for since <= minor < until */
} shapes[] = {
    [SHAPE_MULTIPLEXED_TYPE] = {42, 999},
      [SHAPE_NONE_TAGS] = {0,  43 },
    [SHAPE_NULL_DIGESTS] = {0,  43 },
      [SHAPE_VIRTUAL_SIZE] = {0,  44 },
    [SHAPE_CONTAINER_CONFIG] = {0,  45 },
      [SHAPE_IMAGE_CONFIG_WHOLE] = {0,  50 },
    [SHAPE_IMAGE_CONTAINERS] = {51, 999},
      [SHAPE_SHORT_ID_ALIAS] = {0,  45 },
    [SHAPE_IMAGE_CREATE_EVENT] = {46, 999},
      [SHAPE_PRUNE_ANONYMOUS] = {42, 999},
    [SHAPE_WS_STREAMS] = {42, 999},
      [SHAPE_STOP_SIGNAL] = {42, 999},
    [SHAPE_CONSOLE_SIZE] = {42, 999},
      [SHAPE_PLAIN_SECURITY] = {0,  25 },
    [SHAPE_COMMIT_EXPECTED] = {0,  49 },
      [SHAPE_BRIDGE_NF] = {0,  50 },
    [SHAPE_KERNEL_MEMORY] = {0,  42 },
      [SHAPE_FIREWALL_BACKEND] = {49, 999},
    [SHAPE_ENDPOINT_MAC] = {44, 999},
      [SHAPE_UPDATE_PIDS] = {40, 999},
};
_Static_assert(ARRAY_LEN(shapes) == SHAPES, "a shape has no line in the table");

bool shape_holds(int minor, enum shape s)
{
    return shapes[s].since <= minor && minor < shapes[s].until;
}

/* The next number of a dotted version; 0 where it has ended, as moby compares. */
static int64_t next_number(const char **at)
{
    int64_t n = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++)
        n = n > INT32_MAX ? n : n * 10 + (**at - '0');
    if (**at == '.')
        (*at)++;
    return n;
}

static int compare(const char *a, const char *b)
{
    while (*a || *b) {
        int64_t x = next_number(&a), y = next_number(&b);

        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

int version_parse(const char *text, int *minor, bool *plain_text, struct err *e)
{
    const char *at = text;

    *plain_text = false;
    if (compare(text, API_VERSION_MAX) > 0)
        return err_set(e, ERR_INVALID,
                       "client version %s is too new. Maximum supported API version is %s", text,
                       API_VERSION_MAX);
    if (compare(text, API_VERSION_MIN) < 0) {
        *plain_text = true;
        return err_set(e, ERR_INVALID,
                       "client version %s is too old. Minimum supported API version is %s, please "
                       "upgrade your client to a newer version",
                       text, API_VERSION_MIN);
    }
    (void)next_number(&at);
    *minor = (int)next_number(&at);
    return 0;
}
