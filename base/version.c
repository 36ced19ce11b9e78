/* version: the commit is told by CMake. */
#include "base/version.h"

const char *ballast_git_commit(void)
{
    return BALLAST_GIT_COMMIT;
}
