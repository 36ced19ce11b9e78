/* The volume drivers of this build.  Only drivers.c lists them. */
#pragma once

#include "core/vol_driver.h"

extern const struct vol_driver_ops vol_driver_local;
