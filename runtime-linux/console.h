/* console: the window size of a terminal whose master the shim holds. */
#pragma once

#include "base/err.h"

int console_resize(int master, unsigned rows, unsigned cols, struct err *e) MUST_USE;
