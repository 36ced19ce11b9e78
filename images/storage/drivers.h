/* drivers: the storage drivers of this platform. */
#pragma once

#include "core/storage_driver.h"

extern const struct storage_driver_ops storage_overlay2;
extern const struct storage_driver_ops storage_vfs;
