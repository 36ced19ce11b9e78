/* console: see console.h.  The pty itself is made by launch, inside the container's devpts. */
#include "runtime-linux/console.h"

#include <errno.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <termios.h>

int console_resize(int master, unsigned rows, unsigned cols, struct err *e)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

    if (rows > USHRT_MAX || cols > USHRT_MAX)
        return err_set(e, ERR_INVALID, "a terminal of %u rows and %u columns is too large", rows,
                       cols);
    if (ioctl(master, TIOCSWINSZ, &size))
        return err_os(e, errno, "resize the terminal");
    return 0;
}
